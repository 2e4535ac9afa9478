"""The numbers of the scheduled jobs that one looks for first."""

from __future__ import annotations

import streamlit as st

from dcsim import Estimate, Result
from dcsim.app.series import has_part
from dcsim.app.show import tile, value_text
from dcsim.app.words import Words

ORDER, TITLE = 2, ""
_TILES = (
    ("wait_s.p50", "wait_s", "p50"),
    ("wait_s.p99", "wait_s", "p99"),
    ("completion_s.mean", "completion_s", "mean"),
    ("utilization_frac", "utilization_frac", ""),
    ("num_finished", "num_finished", ""),
)


def has_data(result: Result) -> bool:
    """Whether jobs were scheduled."""
    return has_part(result, "jobs")


def show(result: Result, words: Words) -> None:
    """One row of tiles; below, jobs that never ran."""
    number = result.jobs.number
    notes = {
        "num_finished": words("jobs.of_submitted", count=f"{number('num_submitted') or 0.0:,.0f}"),
        "completion_s": words("jobs.mean_slowdown", value=value_text("slowdown", number("slowdown.mean"))),
        "utilization_frac": words("jobs.waiting", value=value_text("x", number("num_waiting.mean"))),
    }
    for cell, (path, key, statistic) in zip(st.columns(len(_TILES)), _TILES, strict=True):
        found = result.jobs.find(path)
        label = " ".join(
            filter(None, (words(f"jobs.{key}"), words.maybe(f"statistics.{statistic}", statistic)))
        )
        with cell:
            one = found if isinstance(found, Estimate) else None
            note = notes.get(key, "") if one is not None else words("jobs.unknown")
            tile(label, key, one, note, words.maybe(f"terms.jobs_{key}", ""))
    shares = {"cost_usd": "x_usd", "it_j": "x_j", "carbon_kg": "x_kg"}
    says = [value_text(scale, number(key)) for key, scale in shares.items() if number(key) is not None]
    if says:
        st.caption(words("jobs.share", share=", ".join(says)))
    lost = [
        words(f"jobs.some_{key}", count=f"{number(f'num_{key}'):,.4g}")
        for key in ("infeasible", "abandoned", "unfinished")
        if number(f"num_{key}")
    ]
    if lost:
        st.warning(" ".join(lost), icon=":material/block:")
