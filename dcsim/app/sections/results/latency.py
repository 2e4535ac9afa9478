"""How latencies are distributed, beside the limits of the SLO."""

from __future__ import annotations

import streamlit as st

from dcsim import Estimate, Result, SummaryView, limits_of, quantity_text, scales_of
from dcsim.app.figures.latency import LATENCIES, distribution_figure, lengths_figure, quantile_figure
from dcsim.app.series import Series, has_part, probabilities, workload_series
from dcsim.app.show import MISSING, figure
from dcsim.app.words import Words

ORDER, TITLE = 10, "latency.title"
_SPREAD = ("mean", "p50", "p90", "p99")  # as many as a tablet holds; the JSON has all


def has_data(result: Result) -> bool:
    """Whether anything was served."""
    return has_part(result, "serving")


def show(result: Result, words: Words) -> None:
    """Tabs of latencies with histogram and share of requests within a time; the table of all."""
    for name, series in workload_series(result).items():
        if len(result.serving) > 1:
            st.subheader(name)
        summary = result.serving[name]
        assert isinstance(summary, SummaryView)
        limits = limits_of(result.scenario.serving[name].slo)
        shown = [key for key in LATENCIES if key != "itl_s"]
        titles = [*(words(f"metrics.{key}") for key in shown), words("latency.lengths")]
        tabs = st.tabs(titles, on_change="rerun", key=f"latency-{name}")  # only the open one is drawn
        for tab, key in zip(tabs, shown, strict=False):
            if tab.open:
                with tab:
                    about = words("latency.alt", name=words(f"metrics.{key}"), values=_values(summary, key))
                    _pair(name, series, probabilities(result), key, limits.get(key), about, words)
        if tabs[-1].open:
            with tabs[-1]:
                figure(lengths_figure(series, words), f"lengths-{name}", words("latency.lengths"))
        _table(summary, words)


def _pair(
    name: str,
    series: Series,
    known: list[float],
    latency: str,
    limit_s: float | None,
    about: str,
    words: Words,
) -> None:
    """A latency's histogram, and the share of requests within a time."""
    left, right = st.columns(2)
    with left:
        figure(distribution_figure(series, latency, limit_s, words), f"dist-{name}-{latency}", about)
    with right:
        curve = quantile_figure({name: series}, known, latency, limit_s, words)
        figure(curve, f"quant-{name}-{latency}", about)


def _table(summary: SummaryView, words: Words) -> None:
    observed = summary.get("observed")
    found = observed if isinstance(observed, SummaryView) else summary
    if observed is not None:
        st.warning(words("latency.observed"), icon=":material/warning:")
    rows = {
        words(f"metrics.{key}"): [_cell(found.find(f"{key}.{part}"), key) for part in _SPREAD]
        for key in LATENCIES
    }
    titles = {part: [cells[at] for cells in rows.values()] for at, part in enumerate(_SPREAD)}
    st.table({words("latency.column"): list(rows), **titles}, hide_index=True)


def _cell(found: object, key: str) -> str:
    if not isinstance(found, Estimate):
        return MISSING
    return quantity_text(found.value, scales_of(key), found.half_width, found.prediction)


def _values(summary: SummaryView, key: str) -> str:
    found = (summary.find(f"{key}.{part}") for part in ("p50", "p99"))
    return ", ".join(f"{part} {_cell(one, key)}" for part, one in zip(("p50", "p99"), found, strict=True))
