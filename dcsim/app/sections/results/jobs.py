"""Scheduled jobs: queue and use of the pool over time, waits, and what jobs of each size went through."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from dcsim import Estimate, Result, SummaryView, quantity_text, scales_of
from dcsim.app.figures.jobs import sizes_figure, times_figure
from dcsim.app.figures.over_time import areas_figure, lines_figure
from dcsim.app.series import Series, has_part, part_series, probabilities
from dcsim.app.show import MISSING, figure, value_text
from dcsim.app.words import Words

ORDER, TITLE = 14, "jobs.title"
_USE = ("num_used", "num_free", "num_away")
_QUEUE = ("num_waiting", "num_running")
_SPREAD = ("mean", "p50", "p90", "p99", "max")
_TIMES = ("wait_s", "completion_s", "slowdown")


def has_data(result: Result) -> bool:
    """Whether jobs were scheduled."""
    return has_part(result, "jobs")


def show(result: Result, words: Words) -> None:
    """Over time, distributions, by size and queue, and what could never run."""
    series = part_series(result, "jobs")
    if series:
        _over_time(series["timeline"], words)
    _table(result.jobs, words)
    if series:
        left, right = st.columns(2)
        with left:
            st.markdown(f"**{words('jobs.times')}**", help=words("jobs.times_help"))
            figure(times_figure(series, probabilities(result), words), "job-times", _times_alt(result, words))
        with right:
            st.markdown(f"**{words('jobs.by_size')}**")
            figure(sizes_figure(series["by_size"], words), "job-sizes", words("jobs.by_size"))
        _queues(series["by_queue"], words)
    _infeasible(result.jobs, words)


def _over_time(timeline: Series, words: Words) -> None:
    left, right = st.columns(2)
    with left:
        st.markdown(f"**{words('jobs.pool')}**")
        use = _labelled(timeline, _USE, words)
        drawn = areas_figure(timeline, use, words("figures.accelerators"), words)
        figure(drawn, "job-pool", words("jobs.pool"))
    with right:
        st.markdown(f"**{words('jobs.queue')}**")
        queue = _labelled(timeline, _QUEUE, words)
        figure(lines_figure(timeline, queue, words("jobs.jobs"), words), "job-queue", words("jobs.queue"))


def _labelled(timeline: Series, keys: tuple[str, ...], words: Words) -> dict[str, Sequence[float | None]]:
    return {words(f"jobs.{key}"): timeline[key] for key in keys}


def _table(jobs: SummaryView, words: Words) -> None:
    rows = {
        words(f"jobs.{key}"): [_cell(jobs.find(f"{key}.{part}"), key) for part in _SPREAD] for key in _TIMES
    }
    columns = {
        words.maybe(f"statistics.{part}", part): [cells[at] for cells in rows.values()]
        for at, part in enumerate(_SPREAD)
    }
    st.table({words("energy.what"): list(rows), **columns}, hide_index=True)


def _cell(found: object, key: str) -> str:
    if not isinstance(found, Estimate):
        return MISSING
    return quantity_text(found.value, scales_of(key), found.half_width, found.prediction)


def _queues(by_queue: Series, words: Words) -> None:
    if len(by_queue["queue"]) < 2:
        return
    with st.expander(words("jobs.by_queue")):
        shown: Mapping[str, list[str]] = {
            words("jobs.queue_name"): [name or MISSING for name in by_queue["queue"]],
            words("jobs.num_finished"): [f"{count:,}" for count in by_queue["num_finished"]],
            words("jobs.wait_s"): [value_text("x_s", one) for one in by_queue["mean_wait_s"]],
            words("jobs.completion_s"): [value_text("x_s", one) for one in by_queue["mean_completion_s"]],
            words("jobs.accelerator_h"): [value_text("x", one) for one in by_queue["accelerator_h"]],
        }
        st.dataframe(shown, hide_index=True)
        rest = by_queue["rest"]
        if rest["num_queues"]:
            st.caption(words("jobs.more_queues", count=rest["num_queues"], jobs=f"{rest['num_finished']:,}"))


def _infeasible(jobs: SummaryView, words: Words) -> None:
    reasons = jobs.find("num_by_reason")
    if isinstance(reasons, SummaryView) and list(reasons):
        st.markdown(f"**{words('jobs.reasons')}**")
        named = (
            f"{words.maybe(f'job_reasons.{key}', key)}: {reasons.number(key) or 0:,.4g}" for key in reasons
        )
        st.markdown("\n".join(f"- {one}" for one in named))


def _times_alt(result: Result, words: Words) -> str:
    number = result.jobs.number
    values = (
        f"{words('jobs.wait_s')} {part} {value_text('x_s', number(f'wait_s.{part}'))}" for part in _SPREAD
    )
    return f"{words('jobs.times')}: {', '.join(values)}"
