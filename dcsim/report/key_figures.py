"""Key figures of catalogue entries: the few numbers that one chooses an accelerator, node or model by."""

from __future__ import annotations

from collections.abc import Mapping
from functools import singledispatch

from dcsim.catalog.accelerator import Accelerator
from dcsim.catalog.collective import MeasuredCollectives
from dcsim.catalog.efficiency import Efficiency
from dcsim.catalog.engine import Engine
from dcsim.catalog.entry import Entry
from dcsim.catalog.link import Link
from dcsim.catalog.loader import KINDS, TRAFFIC, entry_mapping, entry_names, load_entry
from dcsim.catalog.model import Model
from dcsim.catalog.node import Node
from dcsim.catalog.prices import OnDemandPrices, OwnedPrices
from dcsim.catalog.reliability import ReliabilityPreset
from dcsim.catalog.site import Site
from dcsim.catalog.software import Software
from dcsim.catalog.store import Store
from dcsim.catalog.trained_model import (
    TrainedModel,
)
from dcsim.errors import Problem, ScenarioError
from dcsim.formulas.datatypes import Datatype
from dcsim.formulas.transformer import kv_elements_per_token, num_active_parameters, num_parameters
from dcsim.units import JOULES_PER_KWH
from dcsim.validation import nearest

Figure = float | str

_PEAKS = (Datatype.BF16, Datatype.FP8, Datatype.NVFP4)


def catalogue_kinds() -> tuple[str, ...]:
    """The kinds of entries that the catalogue holds."""
    return (*KINDS, TRAFFIC)


def entry_title(kind: str, name: str) -> tuple[str, str]:
    """Title and source of an entry. Raises ScenarioError for an unknown name."""
    if kind in KINDS:
        entry = load_entry(kind, name)
        return entry.title, entry.source
    if name not in entry_names(kind):
        remedy = nearest(name, entry_names(kind))
        raise ScenarioError(Problem(file="catalog", message=f"no name '{name}' among {kind}", remedy=remedy))
    mapping = entry_mapping(kind, name)
    return str(mapping["title"]), str(mapping["source"])


def key_figures(kind: str, name: str) -> Mapping[str, Figure]:
    """The numbers that one chooses an entry by, named with their SI units, and names of its parts.

    Raises ScenarioError for an unknown name.

    >>> key_figures("accelerators", "h100-sxm")["tdp_w"]
    700.0
    """
    if kind not in KINDS:
        return {}
    return _figures_of(load_entry(kind, name))


@singledispatch
def _figures_of(entry: Entry) -> dict[str, Figure]:
    """The numbers of one entry: a function for each class."""
    return {}


@_figures_of.register
def _of_site(entry: Site) -> dict[str, Figure]:
    return {
        "pue": entry.pue,
        "carbon_g_per_kwh": entry.carbon_kg_per_j * JOULES_PER_KWH * 1e3,
        "electricity_usd_per_kwh": entry.electricity_usd_per_j * JOULES_PER_KWH,
    }


@_figures_of.register
def _of_owned(entry: OwnedPrices) -> dict[str, Figure]:
    return {"kind": entry.kind, "num_priced": float(len(entry.node_capex_usd))}


@_figures_of.register
def _of_rented(entry: OnDemandPrices) -> dict[str, Figure]:
    return {"kind": entry.kind, "num_priced": float(len(entry.accelerator_usd_per_s))}


@_figures_of.register
def _of_engine(entry: Engine) -> dict[str, Figure]:
    return {
        "max_num_seqs": float(entry.max_num_seqs),
        "max_num_batched_tokens": float(entry.max_num_batched_tokens),
        "step_overhead_s": entry.step_overhead_s,
        "request_overhead_s": entry.request_overhead_s,
    }


@_figures_of.register
def _of_link(entry: Link) -> dict[str, Figure]:
    return {"link_bytes_per_s": entry.bytes_per_s, "hop_s": entry.hop_s, "scope": entry.scope.value}


@_figures_of.register
def _of_collectives(entry: MeasuredCollectives) -> dict[str, Figure]:
    return {
        "scale_up": entry.scale_up,
        "scale_out": entry.scale_out or "",
        "num_curves": float(len(entry.curves)),
        "most_ranks": float(max(curve.num_ranks for curve in entry.curves)),
    }


@_figures_of.register
def _of_software(entry: Software) -> dict[str, Figure]:
    return {
        "efficiency_frac": entry.efficiency_frac,
        "step_host_s": entry.step_host_s,
        "jitter_frac": entry.jitter_frac,
        "reserved_bytes": entry.reserved_bytes,
    }


@_figures_of.register
def _of_reliability(entry: ReliabilityPreset) -> dict[str, Figure]:
    return {
        "num_causes": float(len(entry.causes)),
        "detection_s": entry.detection_s,
        "diagnosis_s": entry.diagnosis_s,
        "initialization_s": entry.initialization_s,
        "repair_s": entry.repair_s,
    }


@_figures_of.register
def _of_accelerator(entry: Accelerator) -> dict[str, Figure]:
    peaks = {
        f"{datatype}_flops_per_s": entry.peak_flops_per_s[datatype]
        for datatype in _PEAKS
        if datatype in entry.peak_flops_per_s
    }
    return {
        "kind": entry.kind.value,
        "memory_bytes": entry.memory_bytes,
        "memory_bytes_per_s": entry.memory_bytes_per_s,
        **peaks,
        "tdp_w": entry.tdp_w,
        "idle_w": entry.idle_w,
        "embodied_kg": entry.embodied_kg,
    }


@_figures_of.register
def _of_node(entry: Node) -> dict[str, Figure]:
    return {
        "accelerator": entry.accelerator,
        "num_accelerators": float(entry.num_accelerators),
        "scale_up": entry.scale_up,
        "scale_out": entry.scale_out,
        "num_nics": float(entry.num_nics),
        "rated_w": entry.rated_w,
        "embodied_kg": entry.embodied_kg,
    }


@_figures_of.register
def _of_trained_model(entry: TrainedModel) -> dict[str, Figure]:
    workload = entry.workload
    return {
        "kind": entry.kind,
        "num_parameters": workload.num_parameters + workload.num_table_parameters,
        "training_flops": workload.training_flops,
        "native_datatype": entry.native_datatype.value,
    }


@_figures_of.register
def _of_model(entry: Model) -> dict[str, Figure]:
    elements = kv_elements_per_token(entry.shape, entry.shape.num_kv_heads)
    return {
        "num_parameters": float(num_parameters(entry.shape)),
        "num_active_parameters": float(num_active_parameters(entry.shape)),
        "kv_bytes": elements * Datatype.BF16.num_bytes,
        "max_context_tokens": float(entry.max_context_tokens),
        "native_datatype": entry.native_datatype.value,
    }


@_figures_of.register
def _of_store(entry: Store) -> dict[str, Figure]:
    figures = {
        "read_bytes_per_s": entry.read_bytes_per_s or entry.node_read_bytes_per_s,
        "write_bytes_per_s": entry.write_bytes_per_s or entry.node_write_bytes_per_s,
        "capacity_bytes": entry.capacity_bytes,
    }
    given = {name: value for name, value in figures.items() if value is not None}
    return {"scope": entry.scope.value, "unit": entry.unit, **given, "latency_s": entry.latency_s}


@_figures_of.register
def _of_profile(entry: Efficiency) -> dict[str, Figure]:
    errors = [one.median_frac for one in entry.accuracy.values()]
    worst: dict[str, Figure] = {"worst_median_error_frac": max(errors)} if errors else {}
    return {"num_operators": float(len(entry.accuracy)), **worst}
