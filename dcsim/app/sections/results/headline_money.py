"""Money, energy and carbon of the whole cluster, and what the intervals are."""

from __future__ import annotations

import streamlit as st

from dcsim import Estimate, Result
from dcsim.app.series import has_part
from dcsim.app.show import tile
from dcsim.app.words import Words

ORDER, TITLE = 3, ""
_OF_TOKENS = (
    ("cost.usd_per_million_output_tokens", "usd_per_million_output_tokens"),
    ("cost.usd_per_yr", "usd_per_yr"),
    ("energy.facility_j_per_output_token", "facility_j_per_output_token"),
    ("energy.mean_it_w", "mean_it_w"),
    ("carbon.kg_per_million_output_tokens", "kg_per_million_output_tokens"),
)
_OF_THE_RUN = (
    ("cost.total_usd", "total_usd"),
    ("cost.usd_per_yr", "usd_per_yr"),
    ("energy.facility_j", "facility_j"),
    ("energy.mean_it_w", "mean_it_w"),
    ("carbon.total_kg", "total_kg"),
)


def has_data(result: Result) -> bool:
    """Always: every run has its intervals explained."""
    return True


def show(result: Result, words: Words) -> None:
    """A row of tiles: per output token where only models are served, else of the whole run."""
    is_served_alone = not (has_part(result, "training") or has_part(result, "jobs"))
    shown = _OF_TOKENS if is_served_alone else _OF_THE_RUN
    for cell, (path, key) in zip(st.columns(len(shown)), shown, strict=True):
        found = result.view.find(path)
        with cell:
            note = "" if isinstance(found, Estimate) else words("estimate.needs_section")
            tile(words(f"metrics.{key}"), key, found if isinstance(found, Estimate) else None, note)
    st.caption(
        words(
            _about_intervals(result),
            draws=result.view.number("prediction.num_draws") or 0,
            replications=f"{result.view.number('num_replications') or 0:.0f}",
        )
    )


def _about_intervals(result: Result) -> str:
    if result.view.find("prediction.num_draws") is not None:
        return "intervals.prediction"
    return f"intervals.{result.view.find('interval_method')}"
