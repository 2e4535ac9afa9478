"""Cost, energy and latency against one another, and every number of every run as bars."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from dcsim import Comparison, ComparisonRow, Result, limits_of
from dcsim.app.figures.comparison import goodput_cost_figure, small_figure, trade_off_figure
from dcsim.app.figures.latency import quantile_figure
from dcsim.app.quantities import quantity_name
from dcsim.app.sentences import row_label
from dcsim.app.series import has_part, probabilities, workload_series
from dcsim.app.show import figure, value_text
from dcsim.app.words import Words

ORDER = 3
_LATENCIES = ("ttft_s", "tpot_s", "e2e_s")
_BARS = {  # factor and unit, by the last part of a row's path or the latency that it is of
    "ttft_s.p99": (1e3, "ms"),
    "tpot_s.p99": (1e3, "ms"),
    "e2e_s.p99": (1.0, "s"),
    "goodput_requests_per_s": (1.0, "/s"),
    "slo_attainment_frac": (100.0, "%"),
    "mean_it_w": (1e-3, "kW"),
    "facility_j_per_output_token": (1.0, "J"),
    "kg_per_million_output_tokens": (1e3, "g CO2e"),
    "usd_per_million_output_tokens": (1.0, "USD"),
    "step_time_s": (1.0, "s"),
    "mfu_frac": (100.0, "%"),
    "productive_frac": (100.0, "%"),
    "tokens_per_s": (1e-3, "k/s"),
    "completion_s": (1 / 3600.0, "h"),
    "usd_per_million_tokens": (1.0, "USD"),
    "it_j_per_token": (1.0, "J"),
    "jobs.wait_s.mean": (1 / 3600.0, "h"),
    "jobs.wait_s.p99": (1 / 3600.0, "h"),
    "jobs.completion_s.mean": (1 / 3600.0, "h"),
    "jobs.utilization_frac": (100.0, "%"),
    "total_usd": (1.0, "USD"),
}


def show(comparison: Comparison, results: Sequence[Result], words: Words) -> None:
    """The scatter, the curves, the bars."""
    left, right = st.columns(2)
    with left:
        st.subheader(words("compare.trade_off"), help=words("compare.trade_off_help"))
        drawn = trade_off_figure(comparison, words)
        if drawn is None:
            st.caption(words("compare.no_trade_off"))
        else:
            figure(drawn, "trade-off", words("compare.trade_off_help"))
            st.caption(words("compare.bubbles"))
    with right:
        if all(has_part(result, "serving") for result in results):
            st.subheader(words("compare.distributions"))
            _curves(comparison, results, words)
        else:
            _goodput(comparison, words)
    st.subheader(words("compare.bars"))
    rows = [row for row in comparison.rows if _key(row) in _BARS]
    for start in range(0, len(rows), 3):
        for cell, row in zip(st.columns(3), rows[start : start + 3], strict=False):
            factor, unit = _BARS[_key(row)]
            with cell:
                label = row_label(row.path, words)
                drawn = small_figure(comparison.labels, row.values, label, factor, unit)
                figure(drawn, f"bars-{row.path}", _alt(label, row, comparison))


def _goodput(comparison: Comparison, words: Words) -> None:
    """Goodput against cost, of the first training job that the runs have in common."""
    rows = {row.path.rsplit(".", 1)[-1]: row for row in reversed(comparison.rows) if _is_training(row)}
    if "productive_frac" not in rows or "usd_per_million_tokens" not in rows:
        return
    st.subheader(words("compare.goodput"), help=words("compare.goodput_help"))
    productive, cost = rows["productive_frac"].values, rows["usd_per_million_tokens"].values
    drawn = goodput_cost_figure(comparison.labels, productive, cost, words)
    figure(drawn, "goodput-cost", _alt(words("compare.goodput"), rows["productive_frac"], comparison))


def _is_training(row: ComparisonRow) -> bool:
    return row.path.startswith("training.")


def _curves(comparison: Comparison, results: Sequence[Result], words: Words) -> None:
    chosen = st.segmented_control(
        words("compare.latency"),
        _LATENCIES,
        default="ttft_s",
        required=True,
        format_func=lambda key: words(f"metrics.{key}"),
        label_visibility="collapsed",
    )
    latency = chosen or "ttft_s"
    series = {
        label: next(iter(workload_series(result).values()))
        for label, result in zip(comparison.labels, results, strict=True)
    }
    first = results[comparison.baseline]
    limit_s = limits_of(next(iter(first.scenario.serving.values())).slo).get(latency)
    drawn = quantile_figure(series, probabilities(first), latency, limit_s, words)
    figure(drawn, "curves", words("latency.alt", name=words(f"metrics.{latency}"), values=""))


def _key(row: ComparisonRow) -> str:
    parts = row.path.split(".")
    if parts[0] == "jobs":
        return ".".join(parts)
    return ".".join(parts[2:]) if parts[0] in ("serving", "training") else parts[-1]


def _alt(label: str, row: ComparisonRow, comparison: Comparison) -> str:
    name = quantity_name(row.path)
    pairs = zip(comparison.labels, row.values, strict=True)
    return f"{label}: " + ", ".join(
        f"{one} {value_text(name, found.value if found else None)}" for one, found in pairs
    )
