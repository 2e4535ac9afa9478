"""The numbers that decide, of every run, with differences from the baseline and what these are worth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import streamlit as st

from dcsim import Comparison, ComparisonRow, Difference, Result
from dcsim.app.quantities import quantity_name
from dcsim.app.sentences import row_label
from dcsim.app.show import escaped, interval_text, percent_text, value_text
from dcsim.app.words import Words

ORDER = 1
_SHOWN = (
    "cost.usd_per_million_output_tokens",
    "energy.facility_j_per_output_token",
    "energy.it_j_per_output_token",
    "serving.*.ttft_s.p99",
    "serving.*.tpot_s.p99",
    "serving.*.e2e_s.p99",
    "serving.*.slo_attainment_frac",
    "training.*.usd_per_million_tokens",
    "training.*.it_j_per_token",
    "training.*.step_time_s",
    "training.*.mfu_frac",
    "training.*.productive_frac",
    "training.*.completion_s",
    "jobs.wait_s.p50",
    "jobs.wait_s.p99",
    "jobs.completion_s.mean",
    "jobs.utilization_frac",
    "cost.total_usd",
)
_MOST_IN_A_ROW = 4


def show(comparison: Comparison, results: Sequence[Result], words: Words) -> None:
    """One card for each run."""
    st.header(words("compare.side_by_side"), divider="gray")
    rows = [row for row in comparison.rows if _pattern(row.path) in _SHOWN]
    if any(row.path == "energy.facility_j_per_output_token" for row in rows):
        rows = [row for row in rows if row.path != "energy.it_j_per_output_token"]
    for start in range(0, len(comparison.labels), _MOST_IN_A_ROW):
        numbers = range(start, min(start + _MOST_IN_A_ROW, len(comparison.labels)))
        for cell, number in zip(st.columns(len(numbers)), numbers, strict=True):
            with cell, st.container(border=True, height="stretch"):
                _card(comparison, rows, number, words)
    st.caption(words("compare.about_noise"))


def _card(comparison: Comparison, rows: Sequence[ComparisonRow], number: int, words: Words) -> None:
    st.markdown(f"**{escaped(comparison.labels[number])}**")
    badges = []
    if any(row.path.startswith("serving.") for row in comparison.rows):
        badges.append(words(f"slo_status.{comparison.slo[number].value}"))
    badges += [words("compare.baseline_badge")] * (number == comparison.baseline)
    badges += [words("figures.pareto")] * comparison.pareto[number]
    st.caption(" · ".join(badges) or "\u00a0")
    cells = st.columns(2) if len(comparison.labels) == 2 else (st.container(),)
    for place, row in enumerate(rows):
        with cells[place % len(cells)]:
            _number(comparison, row, number, words)


def _number(comparison: Comparison, row: ComparisonRow, number: int, words: Words) -> None:
    """One number of one run: its interval, and its difference from the baseline."""
    name, one = quantity_name(row.path), row.values[number]
    st.metric(
        row_label(row.path, words),
        value_text(name, one.value if one is not None else None),
        _delta(row.differences[number], number == comparison.baseline, words),
        delta_color=_colour(row, number),
    )
    st.caption((interval_text(name, one) if one is not None else "") or "\u00a0")


def _pattern(path: str) -> str:
    parts = path.split(".")
    return ".".join([parts[0], "*", *parts[2:]]) if parts[0] in ("serving", "training") else path


def _delta(one: Difference | None, is_baseline: bool, words: Words) -> str | None:
    if is_baseline or one is None or one.relative_frac is None:
        return None
    change = percent_text(one.relative_frac, is_signed=True)
    return f"{change} ({words(f'significance.{one.significance.value}')})"


def _colour(row: ComparisonRow, number: int) -> Literal["off", "inverse", "normal"]:
    one = row.differences[number]
    if row.is_lower_better is None or one is None or one.significance.value in ("within_noise", "unknown"):
        return "off"
    return "inverse" if row.is_lower_better else "normal"
