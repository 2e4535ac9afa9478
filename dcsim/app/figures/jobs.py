"""Scheduled jobs: shares that waited or ended within a time, and what jobs of each size went through."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from dcsim.app.figures.frame import framed
from dcsim.app.palette import DASHES, SERIES
from dcsim.app.words import Words

Series = Mapping[str, Any]
_HOUR_S = 3_600.0
TIMES = ("wait_s", "completion_s")


def times_figure(jobs: Series, probabilities: Sequence[float], words: Words) -> go.Figure:
    """Share of jobs that had started, and that had ended, within a time from their submission."""
    figure = framed(x_title=words("figures.hours"), y_title=words("jobs.share_within"))
    for number, key in enumerate(TIMES):
        pairs = [
            (value / _HOUR_S, probability)
            for probability, value in zip(probabilities, jobs[key]["quantiles"], strict=False)
            if value is not None
        ]
        figure.add_scatter(
            x=[max(x, 1 / _HOUR_S) for x, _ in pairs],
            y=[y for _, y in pairs],
            mode="lines",
            name=words(f"jobs.{key}"),
            line={"color": SERIES[number], "dash": DASHES[number]},
        )
    figure.update_yaxes(tickformat=".0%", range=[0, 1.02])
    figure.update_xaxes(type="log", dtick=1)
    return figure


def sizes_figure(by_size: Series, words: Words) -> go.Figure:
    """Mean wait and completion time of jobs by the accelerators that they asked for."""
    figure = framed(x_title=words("jobs.by_size_axis"), y_title=words("figures.hours"))
    for number, (column, key) in enumerate((("mean_wait_s", TIMES[0]), ("mean_completion_s", TIMES[1]))):
        figure.add_bar(
            x=[f"≤ {size:g}" for size in by_size["max_accelerators"]],
            y=[None if one is None else one / _HOUR_S for one in by_size[column]],
            name=words(f"jobs.{key}"),
            customdata=by_size["num_finished"],
            marker={"color": SERIES[number], "pattern": {"shape": ("", "/")[number]}},
            hovertemplate=f"%{{x}}: %{{y:.3g}} h, %{{customdata:,}} {words('jobs.jobs')}<extra></extra>",
        )
    figure.update_layout(barmode="group")
    figure.update_xaxes(type="category")
    return figure
