"""What the energy went into and the money for."""

from __future__ import annotations

import streamlit as st

from dcsim import Estimate, Result, quantity_text, scales_of
from dcsim.app.figures.shares import stacked_figure
from dcsim.app.parts import cost_parts, energy_parts
from dcsim.app.show import MISSING, figure
from dcsim.app.words import Words

ORDER, TITLE = 40, "energy.title"
_ENERGY_ROWS = (
    "energy.it_j",
    "energy.facility_j",
    "energy.pue",
    "energy.mean_it_w",
    "energy.mean_accelerator_w",
    "energy.it_j_per_output_token",
    "energy.facility_j_per_output_token",
    "carbon.operational_kg",
    "carbon.embodied_kg",
    "carbon.kg_per_million_output_tokens",
)
_COST_ROWS = (
    "cost.total_usd",
    "cost.usd_per_million_output_tokens",
    "cost.usd_per_million_total_tokens",
    "cost.usd_per_accelerator_hour",
    "cost.usd_per_yr",
    "cost.by_phase_time.usd_per_million_prompt_tokens",
    "cost.by_phase_time.usd_per_million_output_tokens",
)


def has_data(result: Result) -> bool:
    """Always: nodes draw power whatever they do."""
    return True


def show(result: Result, words: Words) -> None:
    """Energy left, money right, each as a bar of its parts and a table."""
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader(words("energy.energy"))
        parts = energy_parts(result, words)
        figure(stacked_figure(parts, "kWh", num_decimals=2), "energy-parts", _listed(parts, "kWh"))
        _table(result, _ENERGY_ROWS, words)
    with right:
        st.subheader(words("energy.cost"))
        costs = cost_parts(result, words)
        if not costs:
            st.caption(words("estimate.needs_section"))
            return
        figure(stacked_figure(costs, "USD", num_decimals=2), "cost-parts", _listed(costs, "USD"))
        _table(result, _COST_ROWS, words)


def _table(result: Result, paths: tuple[str, ...], words: Words) -> None:
    rows = {path: result.view.find(path) for path in paths}
    shown = {path: one for path, one in rows.items() if isinstance(one, Estimate)}
    st.table(
        {
            words("energy.what"): [words(f"summary.{path}") for path in shown],
            words("energy.value"): [_cell(path, one) for path, one in shown.items()],
        },
        hide_index=True,
    )


def _cell(path: str, one: Estimate) -> str:
    return quantity_text(one.value, scales_of(path.split(".")[-1]), one.half_width, one.prediction) or MISSING


def _listed(parts: dict[str, float], unit: str) -> str:
    return ", ".join(f"{label} {size:.2f} {unit}" for label, size in parts.items())
