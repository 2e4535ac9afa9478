"""Bars of parts that make a whole: memory of an accelerator, energy, money."""

from __future__ import annotations

import math
from collections.abc import Mapping

import plotly.graph_objects as go

from dcsim.app.figures.frame import framed
from dcsim.app.palette import GREY, SERIES, VERMILLION

_HEIGHT_PX, _ROW_PX = 110, 21  # without the legend; of each of its rows
_IN_A_ROW = 2  # entries of the legend, in half of a page
_LEAST_SHOWN = 0.07  # of the whole, for a number inside of the bar


def stacked_figure(
    parts: Mapping[str, float],
    unit: str,
    *,
    capacity: float | None = None,
    capacity_label: str = "",
    num_decimals: int = 1,
) -> go.Figure:
    """One lying bar of parts with their sizes; a line marks the capacity where there is one."""
    rows = math.ceil((len(parts) + (capacity is not None)) / _IN_A_ROW)
    figure = framed(x_title=unit, height_px=_HEIGHT_PX + _ROW_PX * rows)
    whole = sum(parts.values()) or 1.0
    for number, (label, size) in enumerate(parts.items()):
        shown = f"{size:,.{num_decimals}f}"
        figure.add_bar(
            y=[""],
            x=[size],
            name=label,
            orientation="h",
            text=[shown if size >= _LEAST_SHOWN * whole else ""],
            textposition="inside",
            insidetextanchor="middle",
            marker={"color": SERIES[number % len(SERIES)], "line": {"width": 1, "color": GREY}},
            hovertemplate=f"{label}: {shown} {unit}<extra></extra>",
        )
    top = {"t": _ROW_PX * rows + 8}
    figure.update_layout(barmode="stack", bargap=0.1, legend={"traceorder": "normal"}, margin=top)
    if capacity is not None:
        line = {"dash": "dash", "width": 2.5, "color": VERMILLION}
        figure.add_vline(capacity, line=line)
        figure.add_scatter(x=[None], y=[None], mode="lines", name=capacity_label, line=line)
    return figure
