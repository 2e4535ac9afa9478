"""What failed: by cause, over time, and the log."""

from __future__ import annotations

import streamlit as st

from dcsim import Result, SummaryView
from dcsim.app.figures.counts import counts_figure
from dcsim.app.figures.over_time import lines_figure
from dcsim.app.series import Series, has_part, part_series
from dcsim.app.show import MISSING, empty, figure, value_text
from dcsim.app.words import Words

ORDER, TITLE = 17, "failures.title"
_COUNTS = ("num_stops", "num_slow", "num_planned")


def has_data(result: Result) -> bool:
    """Whether things could fail."""
    return has_part(result, "failures")


def show(result: Result, words: Words) -> None:
    """Counts, causes, over time, log."""
    failures = result.view.get("failures")
    assert isinstance(failures, SummaryView)
    st.markdown(
        words(
            "failures.says",
            stops=f"{failures.number('num_stops') or 0.0:,.4g}",
            between=value_text("x_s", failures.number("time_between_s")),
            away=value_text("x", failures.number("num_nodes_away")),
        )
    )
    left, right = st.columns(2)
    with left:
        _causes(failures, words)
    series = part_series(result, "failures")
    if not series:
        return
    with right:
        _over_time(series["timeline"], words)
    _log(series["log"], words)


def _causes(failures: SummaryView, words: Words) -> None:
    counts = failures.find("num_by_cause")
    named = {key: counts.number(key) or 0.0 for key in counts} if isinstance(counts, SummaryView) else {}
    st.markdown(f"**{words('failures.by_cause')}**")
    if not named:
        empty(words("failures.none"), ":material/check_circle:")
        return
    alt = ", ".join(f"{key} {count:.4g}" for key, count in named.items())
    figure(counts_figure(named, words("failures.num_stops")), "failure-causes", alt)


def _over_time(timeline: Series, words: Words) -> None:
    st.markdown(f"**{words('failures.over_time')}**")
    counts = {words(f"failures.{key}"): _so_far(timeline[key]) for key in _COUNTS if any(timeline[key])}
    counts[words("failures.num_nodes_away")] = timeline["num_nodes_away"]
    drawn = lines_figure(timeline, counts, words("failures.count"), words)
    figure(drawn, "failures-time", words("failures.over_time"))


def _so_far(counts: list[float]) -> list[float | None]:
    """Sums of the counts up to each bin."""
    found: list[float | None] = []
    total = 0.0
    for count in counts:
        total += count
        found.append(total)
    return found


def _log(log: Series, words: Words) -> None:
    st.markdown(f"**{words('failures.log')}**", help=words("failures.log_help"))
    rows = list(zip(*(log[key] for key in ("failed_at_s", "repaired_at_s", "node", "effect")), strict=True))
    st.dataframe(
        {
            words("failures.at"): [value_text("x_s", at_s) for at_s, _, _, _ in rows],
            words("failures.cause"): log["cause"],
            words("failures.component"): log["component"],
            words("failures.effect"): [words(f"effects.{effect}") for _, _, _, effect in rows],
            words("failures.node"): [MISSING if node < 0 else str(node) for _, _, node, _ in rows],
            words("failures.num_nodes"): log["num_nodes"],
            words("failures.num_hit"): log["num_hit"],
            words("failures.away"): [
                MISSING if back_s is None else value_text("x_s", back_s - at_s) for at_s, back_s, _, _ in rows
            ],
        },
        hide_index=True,
    )
    if log["num_left_out"]:
        st.caption(words("failures.left_out", count=f"{log['num_left_out']:,}"))
