"""Start: what dcsim answers, worked questions one click away, recent runs."""

from __future__ import annotations

import streamlit as st

from dcsim import Job, JobState
from dcsim.app import session
from dcsim.app.alternatives import alternatives
from dcsim.app.questions import QUESTIONS, Question
from dcsim.app.show import empty, escaped, state_badge
from dcsim.app.words import Words

KEY, ORDER, ICON = "start", 0, ":material/home:"
_MAX_RECENT = 10
_IN_A_ROW = 3  # of the questions


def show() -> None:
    """The page."""
    words = session.words()
    st.title(words("start.title"))
    st.markdown(words("start.about"))
    left, right = st.columns(2)
    if left.button(words("start.own"), type="primary", icon=":material/edit:", width="stretch"):
        st.switch_page(st.session_state["pages"]["scenario"])
    if right.button(words("start.upload"), icon=":material/upload:", width="stretch"):
        st.session_state["open_files"] = True
        st.switch_page(st.session_state["pages"]["scenario"])
    st.header(words("start.questions"), divider="gray")
    for start in range(0, len(QUESTIONS), _IN_A_ROW):
        row = QUESTIONS[start : start + _IN_A_ROW]
        for cell, question in zip(st.columns(_IN_A_ROW), row, strict=False):
            with cell, st.container(border=True, height="stretch"):
                _question(question, words)
    st.header(words("start.recent"), divider="gray")
    _recent(words)


def _question(question: Question, words: Words) -> None:
    st.subheader(words(f"questions.{question.key}.title"))
    st.write(words(f"questions.{question.key}.about"))
    st.caption(words("start.tries", values=" · ".join(question.values)))
    if st.button(
        words("start.answer"), key=f"answer-{question.key}", icon=":material/play_arrow:", type="primary"
    ):
        draft = session.edit_gallery(question.scenario)
        started = [
            session.workspace().start(one.checked.scenario).id
            for one in alternatives(draft, question.path, question.values)
            if one.checked.scenario is not None and one.checked.can_run
        ]
        session.show_jobs("compare", started)


def _recent(words: Words) -> None:
    jobs = session.workspace().jobs()
    if not jobs:
        empty(words("start.no_runs"))
        return
    chosen = [job for job in jobs[:_MAX_RECENT] if _row(job, words)]
    left, right = st.columns(2)
    done = [job.id for job in chosen if job.status().state is JobState.DONE]
    is_several = 2 <= len(done) <= 8
    if left.button(
        words("start.compare", count=len(done)), disabled=not is_several, icon=":material/compare_arrows:"
    ):
        session.show_jobs("compare", done)
    if right.button(words("start.remove", count=len(chosen)), disabled=not chosen, icon=":material/delete:"):
        for job in chosen:
            job.remove()
        st.rerun()


def _row(job: Job, words: Words) -> bool:
    """One run; whether it is ticked."""
    pick, name, state, when, go = st.columns([0.5, 5, 1.4, 2, 1.6], vertical_alignment="center")
    label = words("start.pick", name=escaped(job.name))
    is_chosen = pick.checkbox(label, key=f"pick-{job.id}", label_visibility="collapsed")
    name.markdown(f"**{escaped(job.name)}**  \n{escaped(job.question)}")
    with state:
        state_badge(job, words)
    when.caption(job.asked_at.strftime("%Y-%m-%d %H:%M UTC"))
    is_done = job.status().state is JobState.DONE
    if go.button(
        words("start.results") if is_done else words("start.watch"), key=f"open-{job.id}", width="stretch"
    ):
        session.show_jobs("results" if is_done else "run", [job.id])
    return is_chosen
