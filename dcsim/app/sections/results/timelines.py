"""What happened over time: load, queue and batch, KV cache, power."""

from __future__ import annotations

import streamlit as st

from dcsim import Result
from dcsim.app.figures.replicas import replicas_figure
from dcsim.app.figures.timeline import PANELS, power_figure, timeline_figure
from dcsim.app.series import power_series, workload_series
from dcsim.app.show import figure
from dcsim.app.words import Words

ORDER, TITLE = 20, "timelines.title"


def has_data(result: Result) -> bool:
    """Always: nodes draw power whatever they do."""
    return True


def show(result: Result, words: Words) -> None:
    """Six panels for each workload, two in a row; the power of all nodes; the share of each replica."""
    st.caption(words("timelines.help"))
    for name, series in workload_series(result).items():
        if len(result.serving) > 1:
            st.subheader(name)
        for start in range(0, len(PANELS), 2):
            for cell, panel in zip(st.columns(2), PANELS[start : start + 2], strict=False):
                with cell:
                    st.markdown(f"**{words(f'panels.{panel.key}')}**")
                    alt = words("timelines.alt", what=words(f"panels.{panel.key}"))
                    figure(timeline_figure(series, panel, words), f"time-{name}-{panel.key}", alt)
        if len(series["replicas"]["replica"]) > 1:
            st.markdown(f"**{words('timelines.replicas')}**")
            figure(
                replicas_figure(series["replicas"], words), f"replicas-{name}", words("timelines.replicas")
            )
    cluster = result.scenario.cluster
    st.markdown(f"**{words('panels.it_power')}**")
    rated_w = cluster.num_nodes * cluster.node.rated_w
    figure(power_figure(power_series(result), words, rated_w), "time-power", words("panels.it_power"))
