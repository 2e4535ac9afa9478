"""Small things that every page shows: tiles, verdicts, problems, figures, runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import streamlit as st

from dcsim import Estimate, Job, JobState, Problem, quantity_text, scales_of
from dcsim.app.words import Words

MISSING = "–"
_CONFIG = {
    "displaylogo": False,
    "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d"],
    "toImageButtonOptions": {"format": "png", "scale": 3, "filename": "dcsim"},
}
STATE_COLOURS: Mapping[JobState, Literal["gray", "blue", "green", "red", "orange"]] = {
    JobState.QUEUED: "gray",
    JobState.RUNNING: "blue",
    JobState.DONE: "green",
    JobState.FAILED: "red",
    JobState.CANCELLED: "orange",
}


def value_text(name: str, value: float | None) -> str:
    """A number with its unit, by the name of what it is."""
    if value is None:
        return MISSING
    return quantity_text(value, scales_of(name))


def percent_text(fraction: float | None, *, is_signed: bool = False) -> str:
    """A fraction in percent, with its sign where it is a change.

    >>> percent_text(0.123456), percent_text(0.05, is_signed=True)
    ('12.3 %', '+5.0 %')
    """
    if fraction is None:
        return MISSING
    return f"{fraction:{'+' if is_signed else ''}.1%}".replace("%", " %")


def interval_text(name: str, one: Estimate) -> str:
    """The widest 95 % interval of a number; empty where it has none."""
    if one.prediction is None and one.half_width is None:
        return ""
    low, high = one.interval
    if name.endswith("_frac"):
        low, high = max(low, 0.0), min(high, 1.0)  # shares have ends of their own
    text = quantity_text(one.value, scales_of(name), one.half_width, (low, high))
    start = text.find("[")
    return text[start:] if start >= 0 else ""


def tile(label: str, name: str, one: Estimate | float | None, note: str = "", help_text: str = "") -> None:
    """A number with its interval below, or a note where it has none."""
    value = one.value if isinstance(one, Estimate) else one
    below = interval_text(name, one) if isinstance(one, Estimate) else ""
    with st.container(border=True, height="stretch"):
        st.metric(label, value_text(name, value), help=help_text or None)
        st.caption(" · ".join(part for part in (below, note) if part) or "\u00a0")


def figure(drawn: object, key: str, alt: str) -> None:
    """A plotly figure, with what it shows in words for those who do not see it."""
    st.plotly_chart(drawn, key=key, config=_CONFIG, alt=alt)


def problems(found: Sequence[Problem], words: Words, most: int = 12) -> None:
    """What is wrong with a scenario, each with its line and remedy."""
    st.error(words("problems.title", count=len(found)), icon=":material/error:")
    for one in found[:most]:
        where = words("problems.line", line=one.line) if one.line is not None else ""
        if one.file and not one.file.startswith("<"):
            where = f"{Path(one.file).name}, {where}" if where else f"{Path(one.file).name}:"
        value = "" if one.value is None else f" ({words('problems.got')} {str(one.value)[:80]!r})"
        st.text(
            " ".join(filter(None, (where, f"{one.path}:" if one.path else "", one.message + value + ".")))
        )
        if one.remedy:
            st.caption(f"→ {escaped(one.remedy)}")
    if len(found) > most:
        st.caption(words("problems.more", count=len(found) - most))


def no_such_runs(job_ids: Sequence[str], words: Words) -> None:
    """Say that the address asks for runs that are not here."""
    if job_ids:
        named = ", ".join(escaped(one[:40]) for one in job_ids)
        st.warning(words("results.no_such_run", runs=named), icon=":material/link_off:")


def state_badge(job: Job, words: Words) -> None:
    """Where a run stands."""
    state = job.status().state
    st.badge(words(f"states.{state.value}"), color=STATE_COLOURS[state])


def empty(text: str, icon: str = ":material/inbox:") -> None:
    """Nothing to show here, and what to do about it."""
    st.info(text, icon=icon)


def escaped(text: str) -> str:
    """Text of the user's, that markdown and html leave as it is.

    >>> escaped("<b> [x](y) $1")
    '\\\\<b\\\\> \\\\[x\\\\](y) \\\\$1'
    """
    return "".join(f"\\{char}" if char in "\\`*_{}[]<>#$~|:" else char for char in text)
