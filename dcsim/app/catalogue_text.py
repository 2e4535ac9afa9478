"""Catalogue entries in one line: title and the figures that one chooses by."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import dcsim
from dcsim import quantity_text, scales_of
from dcsim.app.words import Words

SHOWN = {  # of the key figures, in pick-lists
    "accelerators": ("memory_bytes", "memory_bytes_per_s", "bf16_flops_per_s", "tdp_w"),
    "nodes": ("num_accelerators", "accelerator", "rated_w"),
    "models": ("num_parameters", "num_active_parameters", "max_context_tokens"),
    "sites": ("pue", "carbon_g_per_kwh", "electricity_usd_per_kwh"),
    "prices": ("kind",),
    "links": ("link_bytes_per_s",),
    "storage": ("scope", "read_bytes_per_s", "write_bytes_per_s", "capacity_bytes"),
    "software": ("efficiency_frac",),
    "reliability": ("num_causes", "initialization_s"),
}
COLUMN_UNITS = {  # of the tables: what a number is divided by, and the unit of the column
    "memory_bytes": (1e9, "GB"),
    "memory_bytes_per_s": (1e12, "TB/s"),
    "bf16_flops_per_s": (1e12, "TFLOP/s"),
    "fp8_flops_per_s": (1e12, "TFLOP/s"),
    "nvfp4_flops_per_s": (1e12, "TFLOP/s"),
    "tdp_w": (1.0, "W"),
    "idle_w": (1.0, "W"),
    "rated_w": (1e3, "kW"),
    "embodied_kg": (1.0, "kg"),
    "num_parameters": (1e9, "G"),
    "num_active_parameters": (1e9, "G"),
    "kv_bytes": (1e3, "kB"),
    "max_context_tokens": (1.0, "tokens"),
    "carbon_g_per_kwh": (1.0, "g/kWh"),
    "electricity_usd_per_kwh": (1.0, "USD/kWh"),
    "step_overhead_s": (1e-3, "ms"),
    "request_overhead_s": (1e-3, "ms"),
    "link_bytes_per_s": (1e9, "GB/s"),
    "hop_s": (1e-6, "µs"),
    "worst_median_error_frac": (0.01, "%"),
    "training_flops": (1e9, "GFLOP"),
    "read_bytes_per_s": (1e9, "GB/s"),
    "write_bytes_per_s": (1e9, "GB/s"),
    "capacity_bytes": (1e12, "TB"),
    "latency_s": (1e-3, "ms"),
    "efficiency_frac": (0.01, "%"),
    "jitter_frac": (0.01, "%"),
    "step_host_s": (1e-3, "ms"),
    "reserved_bytes": (1e9, "GB"),
    "detection_s": (60.0, "min"),
    "diagnosis_s": (60.0, "min"),
    "initialization_s": (60.0, "min"),
    "repair_s": (3600.0, "h"),
}
_SUFFIXES = {
    "carbon_g_per_kwh": " g CO2e/kWh",
    "electricity_usd_per_kwh": " USD/kWh",
    "max_context_tokens": " tokens",
    "num_parameters": "",
}


def figure_text(key: str, value: float | str) -> str:
    """A key figure with its unit."""
    if isinstance(value, str):
        return value.replace("_", " ")
    if key == "pue" or key.startswith("electricity"):
        return f"{value:.3g}{_SUFFIXES.get(key, '')}"
    if key in ("max_context_tokens", "max_num_seqs", "max_num_batched_tokens"):
        return f"{value:,.0f}{_SUFFIXES.get(key, '')}"
    if key == "carbon_g_per_kwh":
        return f"{value:.0f}{_SUFFIXES[key]}"
    return quantity_text(value, scales_of(key))


@cache
def entry_text(kind: str, name: str) -> str:
    """An entry of a pick-list: its name, what it is, and the figures that one chooses by."""
    if name not in dcsim.entry_names(kind):
        return name
    title, _ = dcsim.entry_title(kind, name)
    figures = dcsim.key_figures(kind, name)
    if kind == "models":
        figures = _without_equal(figures)
    shown = [figure_text(key, figures[key]) for key in SHOWN.get(kind, ()) if key in figures]
    if kind == "nodes":
        shown = [f"{figures['num_accelerators']:.0f} × {figures['accelerator']}", shown[-1]]
    if kind == "models":
        context = (
            shown[-1:] if "max_context_tokens" in figures else []
        )  # of models that are only trained: none
        active = shown[1 : len(shown) - len(context)]
        shown = [f"{shown[0]} parameters", *(f"{one} active" for one in active), *context]
    if kind == "storage":
        shown = [shown[0], *_told(shown[1:], [key for key in SHOWN[kind][1:] if key in figures])]
    if kind == "reliability":
        shown = [f"causes of failures: {shown[0]}", f"{shown[1]} to start"]
    if kind == "software":
        shown = [f"efficiency {one}" for one in shown]
    return " · ".join([title or name, *shown])


def _told(figures: list[str], keys: list[str]) -> list[str]:
    """Figures of a store with a word that tells which is which."""
    told = {"read_bytes_per_s": "read", "write_bytes_per_s": "write"}
    return [f"{told[key]} {text}" if key in told else text for key, text in zip(keys, figures, strict=True)]


@cache
def source_text(kind: str, name: str) -> str:
    """Where an entry's values come from."""
    return dcsim.entry_title(kind, name)[1] if name in dcsim.entry_names(kind) else ""


def figure_label(key: str, words: Words) -> str:
    """What a key figure is called, with the unit of its column."""
    label = words.maybe(f"key_figures.{key}", key.replace("_", " "))
    unit = COLUMN_UNITS.get(key, (1.0, ""))[1]
    return f"{label}, {unit}" if unit else label


def column_value(key: str, value: float | str | None) -> float | str | None:
    """A key figure as a number in the unit of its column, so that the column sorts; text as it is."""
    if value is None or isinstance(value, str):
        return value
    number = value / COLUMN_UNITS.get(key, (1.0, ""))[0]
    return float(f"{number:.4g}")


def _without_equal(figures: Mapping[str, float | str]) -> Mapping[str, float | str]:
    """A dense model's active parameters are all of them: once is enough."""
    if figures.get("num_active_parameters") != figures.get("num_parameters"):
        return figures
    return {key: value for key, value in figures.items() if key != "num_active_parameters"}
