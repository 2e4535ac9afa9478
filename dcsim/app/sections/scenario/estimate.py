"""What to expect, in closed form: told at once, without simulating."""

from __future__ import annotations

import streamlit as st

from dcsim import Forecast, ServingForecast
from dcsim.app.draft import Draft
from dcsim.app.show import tile, value_text
from dcsim.app.words import Words

ORDER, PLACE = 0, "above"


def show(draft: Draft, words: Words) -> None:
    """A row of tiles for each workload, and one for the cluster."""
    forecast = draft.checked().forecast
    with st.container(key="estimate"):
        st.subheader(words("estimate.title"), help=words("estimate.help"))
        if forecast is None:
            st.caption(words("estimate.none"))
            return
        for name, one in forecast.serving.items():
            if len(forecast.serving) > 1:
                st.markdown(f"**{name}**")
            _workload(one, words)
        _cluster(forecast, words)


def _workload(one: ServingForecast, words: Words) -> None:
    cells = st.columns(5)
    with cells[0]:
        note = words("estimate.of_capacity", capacity=value_text("x_per_s", one.capacity_requests_per_s))
        tile(words("estimate.load"), "load_frac", one.load_frac, note, words("estimate.load_help"))
    latencies = (("ttft_s", "TTFT"), ("tpot_s", "TPOT"), ("e2e_s", "E2E"))
    for cell, (key, label) in zip(cells[1:4], latencies, strict=True):
        with cell:
            tile(words("estimate.mean", name=label), key, getattr(one, key), words("estimate.mean_note"))
    with cells[4]:
        note = words("estimate.batch", size=f"{one.batch_size:.1f}") if one.batch_size is not None else ""
        tile(words("estimate.output"), "output_tokens_per_s", one.output_tokens_per_s, note)
    if one.is_overloaded:
        st.warning(
            words("estimate.overloaded", cause=words.maybe(f"bounds.{one.bound_by}", one.bound_by)),
            icon=":material/traffic:",
        )


def _cluster(forecast: Forecast, words: Words) -> None:
    cells = st.columns(5)
    shown = (
        ("usd_per_million_output_tokens", forecast.usd_per_million_output_tokens),
        ("usd_per_yr", forecast.usd_per_yr),
        ("facility_j_per_output_token", forecast.facility_j_per_output_token),
        ("facility_w", forecast.facility_w),
        ("kg_per_million_output_tokens", forecast.kg_per_million_output_tokens),
    )
    for cell, (key, value) in zip(cells, shown, strict=True):
        with cell:
            tile(
                words(f"estimate.{key}"),
                key,
                value,
                "" if value is not None else words("estimate.needs_section"),
            )
