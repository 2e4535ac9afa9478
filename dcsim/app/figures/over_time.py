"""Lines and stacked areas over the time of a run, on an axis of seconds, minutes, hours or days."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from dcsim.app.figures.frame import framed
from dcsim.app.palette import DASHES, SERIES, faded
from dcsim.app.words import Words

Values = Sequence[float | None]
_UNITS = ((86_400.0, "days", 3.0), (3_600.0, "hours", 3.0), (60.0, "minutes", 0.0))


def time_axis(length_s: float, words: Words) -> tuple[float, str]:
    """The seconds of a unit in which a run of some length is drawn, and its title.

    >>> time_axis(4 * 86_400.0, Words("en"))
    (86400.0, 'days')
    """
    for unit_s, key, least in _UNITS:
        if length_s >= least * unit_s:
            return unit_s, words(f"figures.{key}")
    raise AssertionError("the last unit takes every length")


def lines_figure(
    timeline: Mapping[str, object],
    columns: Mapping[str, Values],
    y_title: str,
    words: Words,
    factor: float = 1.0,
) -> go.Figure:
    """One stepped line for each column, by its label, told apart by dashes too."""
    return _drawn(timeline, columns, (y_title, factor), words, is_stacked=False)


def areas_figure(
    timeline: Mapping[str, object],
    columns: Mapping[str, Values],
    y_title: str,
    words: Words,
    factor: float = 1.0,
) -> go.Figure:
    """Columns that add up to a whole, stacked."""
    return _drawn(timeline, columns, (y_title, factor), words, is_stacked=True)


def _drawn(
    timeline: Mapping[str, object],
    columns: Mapping[str, Values],
    axis: tuple[str, float],
    words: Words,
    *,
    is_stacked: bool,
) -> go.Figure:
    title, factor = axis
    started_at_s = _list(timeline["started_at_s"])
    bin_s = timeline.get("bin_s")
    end_s = started_at_s[-1] + float(str(bin_s or 0.0)) if started_at_s else 0.0
    unit_s, x_title = time_axis(end_s, words)
    figure = framed(x_title=x_title, y_title=title)
    for number, (label, values) in enumerate(columns.items()):
        colour = SERIES[number % len(SERIES)]
        area = {"stackgroup": "whole", "fillcolor": faded(colour, 0.75)} if is_stacked else {}
        dash = "solid" if is_stacked else DASHES[number % len(DASHES)]
        figure.add_scatter(
            x=[at_s / unit_s for at_s in started_at_s],
            y=[None if one is None else one * factor for one in values],
            mode="lines",
            name=label,
            showlegend=len(columns) > 1,
            line={"color": colour, "dash": dash, "shape": "hv", "width": 0.0 if is_stacked else 1.8},
            **area,
        )
    if is_stacked:
        figure.update_layout(hovermode="x unified")
    return figure


def _list(value: object) -> Sequence[float]:
    return value if isinstance(value, list) else []
