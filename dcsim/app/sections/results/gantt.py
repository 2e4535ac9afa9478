"""Gantt charts: what training jobs, scheduled jobs and nodes did when."""

from __future__ import annotations

import streamlit as st

from dcsim import Result
from dcsim.app.figures.gantt import (
    holders_gantt,
    jobs_gantt,
    nodes_gantt,
    num_nodes_hidden,
    training_gantt,
)
from dcsim.app.series import Series, end_s, has_part, part_series
from dcsim.app.show import figure
from dcsim.app.words import Words

ORDER, TITLE = 16, "gantt.title"


def has_data(result: Result) -> bool:
    """Whether there were jobs, to train or to schedule."""
    return has_part(result, "training") or has_part(result, "jobs")


def show(result: Result, words: Words) -> None:
    """Jobs first; below, who held the nodes, and which were away."""
    st.caption(words("gantt.help"))
    training = part_series(result, "training")
    if training:
        st.markdown(f"**{words('gantt.training')}**")
    for name, series in training.items():
        drawn = training_gantt(series["spans"], end_s(result), words)
        figure(drawn, f"gantt-{name}", words("gantt.alt", what=name))
        _left_out(series["spans"]["num_jobs_left_out"], "gantt.jobs_left_out", words)
    jobs = part_series(result, "jobs")
    if jobs:
        st.markdown(f"**{words('gantt.jobs')}**")
        what = words("gantt.jobs")
        figure(jobs_gantt(jobs["sample"], end_s(result), words), "gantt-jobs", words("gantt.alt", what=what))
        _left_out(jobs["sample"]["num_left_out"], "gantt.smaller_left_out", words)
    nodes = part_series(result, "cluster").get("nodes")
    if nodes:
        _holders(nodes, end_s(result), words)
    failures = part_series(result, "failures")
    if failures:
        _nodes(result, words)


def _holders(nodes: Series, last_s: float, words: Words) -> None:
    what = words("gantt.holders")
    st.markdown(f"**{what}**", help=words("gantt.holders_help"))
    figure(holders_gantt(nodes, last_s, words), "gantt-holders", words("gantt.alt", what=what))
    _left_out(nodes["num_nodes_left_out"], "gantt.calmer_left_out", words)
    _left_out(nodes["num_holdings_left_out"], "gantt.holdings_left_out", words)


def _nodes(result: Result, words: Words) -> None:
    log = part_series(result, "failures")["log"]
    drawn = nodes_gantt(log, end_s(result), words)
    if drawn is None:
        return
    st.markdown(f"**{words('gantt.nodes')}**", help=words("gantt.nodes_help"))
    figure(drawn, "gantt-nodes", words("gantt.alt", what=words("gantt.nodes")))
    _left_out(num_nodes_hidden(log), "gantt.nodes_left_out", words)


def _left_out(count: int, key: str, words: Words) -> None:
    if count:
        st.caption(words(key, count=f"{count:,}"))
