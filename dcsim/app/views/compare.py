"""Compare: two to eight runs side by side, which wins when, and what differs beyond noise."""

from __future__ import annotations

from itertools import takewhile

import streamlit as st

import dcsim
from dcsim import Comparison, DcsimError, Job, JobState, Result
from dcsim.app import session
from dcsim.app.html_report import html_report
from dcsim.app.sections import compare as sections
from dcsim.app.sections.registry import sections_of
from dcsim.app.series import has_part
from dcsim.app.show import empty, escaped, no_such_runs, percent_text
from dcsim.app.words import Words

KEY, ORDER, ICON = "compare", 4, ":material/compare_arrows:"
_FEWEST, _MOST = 2, 8
_EVERY_S = 1.0
_LATENCY = "e2e_s.p99"
_LATENCIES = ("ttft_s.p99", "tpot_s.p99", "e2e_s.p99", "ttft_s.mean", "e2e_s.mean")


def show() -> None:
    """The page."""
    words = session.words()
    st.title(words("compare.title"))
    jobs = session.workspace().jobs()
    no_such_runs(session.strangers_in_address(), words)
    waiting = [job for job in session.jobs_in_address() if not job.status().state.is_over]
    if waiting:
        st.fragment(_wait, run_every=_EVERY_S)([job.id for job in waiting], words)
    done = [job for job in jobs if job.status().state is JobState.DONE]
    if len(done) < _FEWEST:
        if not waiting:
            empty(words("compare.none"))
        return
    chosen = _chosen(done, words)
    if len(chosen) < _FEWEST:
        if not waiting:
            empty(words("compare.pick"))
        return
    _compare(chosen, words)


def _wait(job_ids: list[str], words: Words) -> None:
    """Progress of the runs that are not over yet."""
    jobs = [job for job in session.workspace().jobs() if job.id in job_ids]  # one may have been removed
    if all(job.status().state.is_over for job in jobs):
        st.rerun()
    st.info(
        words("compare.waits", count=sum(not job.status().state.is_over for job in jobs)),
        icon=":material/hourglass_top:",
    )
    for job in jobs:
        status = job.status()
        st.progress(
            min(max(status.done_frac, 0.0), 1.0),
            text=f"{escaped(job.name)} · {percent_text(status.done_frac)}",
        )


def _chosen(done: list[Job], words: Words) -> list[Job]:
    ids = {job.id: job for job in done}
    wanted = [job.id for job in session.jobs_in_address() if job.id in ids]
    key = "compare-" + ",".join(wanted)
    chosen = st.multiselect(
        words("compare.runs"),
        list(ids),
        wanted or None,
        max_selections=_MOST,
        key=key,
        format_func=lambda one: f"{ids[one].name} · {ids[one].asked_at:%m-%d %H:%M:%S}",
    )
    return [ids[one] for one in chosen]


def _compare(jobs: list[Job], words: Words) -> None:
    left, right = st.columns(2)
    baseline = left.selectbox(
        words("compare.baseline"),
        range(len(jobs)),
        format_func=lambda at: jobs[at].name,
        help=words("compare.baseline_help"),
    )
    try:
        results = [session.result_of(job) for job in jobs]
        latency = _latency(results, right, words)
        labels = short_labels([job.name for job in jobs])
        comparison = dcsim.compare(results, labels=labels, baseline=baseline or 0, latency=latency)
    except DcsimError as error:
        st.error(escaped(str(error)))
        return
    for section in sections_of(sections):
        section.show(comparison, results, words)
    _downloads(comparison, results, words)


def _latency(results: list[Result], place: st.delta_generator.DeltaGenerator, words: Words) -> str:
    """The latency that is an objective, asked for where models are served."""
    if not any(has_part(result, "serving") for result in results):
        return _LATENCY
    return place.selectbox(
        words("compare.latency"),
        _LATENCIES,
        _LATENCIES.index(_LATENCY),
        format_func=lambda path: latency_label(path, words),
    )


def _downloads(comparison: Comparison, results: list[Result], words: Words) -> None:
    st.header(words("downloads.title"), divider="gray")
    html, csv = st.columns(2)
    with html:
        st.download_button(
            words("downloads.html"),
            lambda: html_report(results, words, comparison),
            "comparison.html",
            "text/html",
            icon=":material/description:",
            on_click="ignore",
            width="stretch",
        )
    with csv:
        st.download_button(
            words("downloads.csv"),
            lambda: comparison.to_frame().to_csv(index=False),
            "comparison.csv",
            "text/csv",
            icon=":material/table:",
            on_click="ignore",
            width="stretch",
        )


def latency_label(path: str, words: Words) -> str:
    """What a latency of the summary is called, such as E2E p99."""
    latency, statistic = path.split(".")
    return f"{words(f'metrics.{latency}')} {statistic}"


def short_labels(names: list[str]) -> list[str]:
    """Names without what they begin with alike, told apart by number where they are equal.

    >>> short_labels(["fleet-h100", "fleet-b200"]), short_labels(["a", "a"])
    (['h100', 'b200'], ['a', 'a (2)'])
    """
    words_of = [name.split("-") for name in dict.fromkeys(names)]
    alike = takewhile(lambda same: len(set(same)) == 1, zip(*words_of, strict=False))
    num_alike = sum(1 for _ in alike) if len(words_of) > 1 else 0
    found: list[str] = []
    for name in names:
        label = "-".join(name.split("-")[num_alike:]) or name
        count = sum(one == label or one.startswith(f"{label} (") for one in found)
        found.append(f"{label} ({count + 1})" if count else label)
    return found
