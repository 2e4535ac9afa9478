"""Results: one run, from the verdict to the sources."""

from __future__ import annotations

from typing import Any

import streamlit as st

from dcsim import Job, JobState, Result, ScenarioError
from dcsim.app import session
from dcsim.app.sections import results as sections
from dcsim.app.sections.registry import sections_of
from dcsim.app.show import empty, escaped, no_such_runs
from dcsim.app.words import Words

KEY, ORDER, ICON = "results", 3, ":material/insights:"


def show() -> None:
    """The page."""
    words = session.words()
    st.title(words("results.title"))
    done = [job for job in session.workspace().jobs() if job.status().state is JobState.DONE]
    if not done:
        empty(words("results.none"))
        if st.button(words("results.go"), type="primary"):
            st.switch_page(st.session_state["pages"]["start"])
        return
    no_such_runs(session.strangers_in_address(), words)
    job = _chosen(done, words)
    try:
        result = session.result_of(job)
    except ScenarioError as error:  # a file of it was changed or lost
        st.error(escaped(str(error)), icon=":material/broken_image:")
        return
    st.markdown(f"*{escaped(job.question)}*" if job.question else "")
    shown = [section for section in sections_of(sections) if section.has_data(result)]
    for section in shown:
        if not section.TITLE:
            section.show(result, words)
    st.fragment(_tabs)([section for section in shown if section.TITLE], result, words)


def _tabs(rest: list[Any], result: Result, words: Words) -> None:
    """One tab for each section; only the open one is drawn, and drawn anew without the rest of the page."""
    tabs = st.tabs([words(section.TITLE) for section in rest], on_change="rerun", key="sections")
    for tab, section in zip(tabs, rest, strict=True):
        if tab.open:
            with tab:
                section.show(result, words)


def _chosen(done: list[Job], words: Words) -> Job:
    """The run to show: that of the address, else the latest."""
    wanted = [job.id for job in session.jobs_in_address()]
    unfinished = [job for job in session.jobs_in_address() if job.status().state is not JobState.DONE]
    for job in unfinished:
        state = words(f"states.{job.status().state.value}")
        st.info(words("results.unfinished", name=escaped(job.name), state=state))
    ids = {job.id: job for job in done}
    first = next((one for one in wanted if one in ids), done[0].id)
    pick, edit = st.columns([5, 2.2], vertical_alignment="bottom")
    with pick:
        chosen = st.selectbox(
            words("results.run"),
            list(ids),
            list(ids).index(first),
            key=f"result-{first}",
            format_func=lambda one: f"{ids[one].name} · {ids[one].asked_at:%Y-%m-%d %H:%M:%S} UTC",
        )
    if chosen != first:
        st.query_params["runs"] = chosen
        st.rerun()
    with edit:
        if st.button(words("results.change"), icon=":material/edit:", width="stretch"):
            session.edit_job(ids[chosen])
            st.switch_page(st.session_state["pages"]["scenario"])
    return ids[chosen]
