"""What all figures have in common: size, margins, legends, and axes with their units."""

from __future__ import annotations

import math
from collections.abc import Sequence

import plotly.graph_objects as go

from dcsim.app.palette import SERIES, VERMILLION

_SMALL_PX = 280
_LIMIT = {"dash": "dash", "width": 1.5, "color": VERMILLION}


def framed(*, x_title: str = "", y_title: str = "", height_px: int = _SMALL_PX) -> go.Figure:
    """An empty figure with titled axes; its legend stands above it."""
    return go.Figure(
        layout={
            "height": height_px,
            "margin": {"l": 8, "r": 8, "t": 36, "b": 8},
            "colorway": list(SERIES),
            "legend": {"orientation": "h", "yanchor": "bottom", "y": 1.02, "x": 0},
            "xaxis": {"title": {"text": x_title}, "automargin": True},
            "yaxis": {"title": {"text": y_title}, "automargin": True, "rangemode": "tozero"},
            "hovermode": "closest",
            "bargap": 0.35,
        }
    )


def with_level(figure: go.Figure, at: float, label: str) -> None:
    """Mark a level that the values may not pass, such as the rated power."""
    figure.add_hline(at, line=_LIMIT, annotation_text=label)


def with_limit(figure: go.Figure, at: float, label: str) -> None:
    """Mark a limit on a logarithmic axis, such as that of an SLO.

    The line stands at the value and its label at the logarithm: plotly reads them so.
    """
    figure.add_vline(at, line=_LIMIT)
    figure.add_annotation(
        x=math.log10(at), y=1, yref="paper", text=label, showarrow=False, xanchor="left", yanchor="top"
    )


def step_edges(edges: Sequence[float], values: Sequence[float]) -> tuple[list[float], list[float]]:
    """A histogram's outline: every edge twice, every value over its whole bin.

    >>> step_edges([0, 1, 2], [5, 7])
    ([0, 1, 1, 2], [5, 5, 7, 7])
    """
    x = [edges[0], *(edge for edge in edges[1:-1] for _ in (0, 1)), edges[-1]]
    return x, [value for value in values for _ in (0, 1)]
