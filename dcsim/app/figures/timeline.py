"""What a workload did over time: load, queue and batch, KV cache, power, first tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from dcsim.app.figures.frame import framed, with_level
from dcsim.app.figures.over_time import time_axis
from dcsim.app.palette import DASHES, GREY, SERIES, faded
from dcsim.app.words import Words


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel of the timeline: columns of the series, on an axis of one unit."""

    key: str
    columns: tuple[str, ...]
    factor: float = 1.0


PANELS = (
    Panel("load", ("offered_requests_per_s", "finished_requests_per_s")),
    Panel("tokens", ("output_tokens_per_s", "computed_prompt_tokens_per_s")),
    Panel("batch", ("num_running", "num_waiting")),
    Panel("use", ("kv_occupancy_frac", "utilization_frac"), 100.0),
    Panel("power", ("accelerator_w",)),
    Panel("ttft", ("ttft_s.p50", "ttft_s.p99"), 1e3),
)


def timeline_figure(series: Mapping[str, object], panel: Panel, words: Words) -> go.Figure:
    """One panel of a workload's timeline; what is outside of the measured window is shaded."""
    timeline, window = series["timeline"], series["window"]
    assert isinstance(timeline, Mapping)
    assert isinstance(window, Mapping)
    started_at_s = _list(timeline["started_at_s"])
    unit_s, x_title = time_axis(started_at_s[-1] if started_at_s else 0.0, words)
    instants = [at_s / unit_s for at_s in started_at_s]
    figure = framed(x_title=x_title, y_title=words(f"panels.{panel.key}_axis"))
    for number, column in enumerate(panel.columns):
        values = [None if one is None else one * panel.factor for one in _column(timeline, column)]
        figure.add_scatter(
            x=instants,
            y=values,
            mode="lines",
            name=words(f"panels.{column}"),
            line={"color": SERIES[number], "dash": DASHES[number], "shape": "hv", "width": 1.8},
        )
    _shade_unmeasured(figure, instants, window, unit_s, words)
    return figure


def power_figure(power: Mapping[str, object], words: Words, rated_w: float | None = None) -> go.Figure:
    """Power of all nodes over time, in kW."""
    started_at_s = _list(power["started_at_s"])
    unit_s, x_title = time_axis(started_at_s[-1] if started_at_s else 0.0, words)
    figure = framed(x_title=x_title, y_title=words("panels.it_power_axis"))
    figure.add_scatter(
        x=[at_s / unit_s for at_s in started_at_s],
        y=[watts / 1e3 for watts in _list(power["it_w"])],
        mode="lines",
        line={"color": SERIES[3], "shape": "hv"},
        fill="tozeroy",
        fillcolor=faded(SERIES[3], 0.2),
        showlegend=False,
        name=words("panels.it_w"),
    )
    if rated_w is not None:
        with_level(figure, rated_w / 1e3, words("figures.rated"))
    return figure


def _shade_unmeasured(
    figure: go.Figure, instants: Sequence[float], window: Mapping[str, object], unit_s: float, words: Words
) -> None:
    start, end = (float(str(window[key])) / unit_s for key in ("started_at_s", "ended_at_s"))
    for low, high in ((0.0, start), (end, instants[-1] if instants else end)):
        if high > low:
            figure.add_vrect(x0=low, x1=high, fillcolor=GREY, opacity=0.15, line_width=0)
    if start > 0:
        figure.add_annotation(
            x=start / 2, y=1, yref="paper", text=words("figures.warmup"), showarrow=False, yanchor="top"
        )


def _column(timeline: Mapping[str, object], name: str) -> Sequence[float | None]:
    found: object = timeline
    for key in name.split("."):
        found = found[key] if isinstance(found, Mapping) else None
    return found if isinstance(found, list) else []


def _list(value: object) -> Sequence[float]:
    return value if isinstance(value, list) else []
