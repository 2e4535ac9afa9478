"""Training: where the time of a step and of the whole job went, and what fills the memory."""

from __future__ import annotations

import streamlit as st

from dcsim import Result, SummaryView
from dcsim.app.figures.counts import counts_figure
from dcsim.app.figures.goodput import goodput_figure, lost_parts
from dcsim.app.figures.over_time import areas_figure, lines_figure
from dcsim.app.figures.shares import stacked_figure
from dcsim.app.parts import numbers
from dcsim.app.series import Series, has_part, part_series
from dcsim.app.show import escaped, figure, percent_text, value_text
from dcsim.app.words import Words

ORDER, TITLE = 12, "training.title"
_GIB = 2.0**30
_SHARES = (
    "productive_frac",
    "disturbed_frac",
    "checkpoint_frac",
    "lost_frac",
    "recovery_frac",
    "preparation_frac",
    "queue_frac",
)


def has_data(result: Result) -> bool:
    """Whether anything was trained."""
    return has_part(result, "training")


def show(result: Result, words: Words) -> None:
    """For each job: step, goodput, over time, memory."""
    series = part_series(result, "training")
    for name in result.training:
        job = result.training[name]
        if not isinstance(job, SummaryView):
            continue
        if len(series) > 1:
            st.subheader(name)
        _step(name, job, words)
        if name in series:
            _goodput(name, series[name], words)
            _over_time(name, series[name]["timeline"], words, job.get("counted_in"))
        _memory(name, job, words)


def _step(name: str, job: SummaryView, words: Words) -> None:
    """The time of an undisturbed step by cause, on the critical path."""
    parts = {words(f"step_parts.{key}"): size for key, size in numbers(job.get("step_parts_s")).items()}
    total_s = sum(parts.values())
    st.markdown(f"**{words('training.step')}**", help=words("training.step_help"))
    largest = sorted(parts.items(), key=lambda pair: -pair[1])[:3]
    named = ", ".join(f"{label} {percent_text(size / total_s)}" for label, size in largest) if total_s else ""
    says = words("training.step_says", total=value_text("x_s", total_s), parts=named)
    st.markdown(says)
    texts = {
        label: f"{value_text('x_s', size)} · {percent_text(size / total_s)}" for label, size in parts.items()
    }
    figure(counts_figure(parts, words("training.seconds"), texts), f"step-{name}", says)


def _goodput(name: str, series: Series, words: Words) -> None:
    waterfall = series["waterfall"]
    drawn = goodput_figure(waterfall, words)
    if drawn is None:
        return
    st.markdown(f"**{words('training.goodput')}**", help=words("training.goodput_help"))
    wall_s = waterfall["wall_s"]
    parts = lost_parts(waterfall, words)
    named = ", ".join(f"{label} {percent_text(size / wall_s)}" for label, size in list(parts.items())[:3])
    counts = percent_text(waterfall["productive_s"] / wall_s)
    says = words("training.goodput_says", share=counts, wall=value_text("x_s", wall_s))
    says = f"{says} {words('training.goodput_lost', parts=named)}" if named else says
    st.markdown(says)
    figure(drawn, f"goodput-{name}", says)


def _over_time(name: str, timeline: Series, words: Words, counted_in: object) -> None:
    left, right = st.columns(2)
    shares = {words(f"shares.{key}"): timeline[key] for key in _SHARES if any(timeline[key])}
    with left:
        st.markdown(f"**{words('training.shares')}**")
        drawn = areas_figure(timeline, shares, "%", words, 100.0)
        drawn.update_yaxes(range=[0, 100])
        figure(drawn, f"shares-{name}", words("training.shares"))
    with right:
        title, axis = (words.counted(f"training.{key}", counted_in) for key in ("tokens", "tokens_axis"))
        st.markdown(f"**{title}**")
        drawn = lines_figure(timeline, {title: timeline["tokens_per_s"]}, axis, words, 1e-3)
        figure(drawn, f"tokens-{name}", title)


def _memory(name: str, job: SummaryView, words: Words) -> None:
    sizes = numbers(job.get("memory_bytes"))
    if not sizes:
        return
    st.markdown(f"**{words('training.memory')}**")
    parts = {
        words.maybe(f"memory.{term}_training", words(f"memory.{term}")): size / _GIB
        for term, size in sizes.items()
    }
    share, capacity = job.number("memory_frac"), None
    if share:
        capacity = sum(parts.values()) / share
        parts[words("memory.left")] = max(capacity - sum(parts.values()), 0.0)
    drawn = stacked_figure(parts, "GiB", capacity=capacity, capacity_label=words("memory.capacity"))
    figure(drawn, f"memory-{name}", ", ".join(f"{label} {size:.1f} GiB" for label, size in parts.items()))
    size = value_text("x_bytes", job.number("checkpoint_bytes"))
    st.caption(words("training.checkpoint_size", name=escaped(name), size=size))
