"""What all figures have in common: size, margins, legends, and axes with their units."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from dcsim.app.palette import SERIES

_SMALL_PX = 280


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


def with_limit(figure: go.Figure, at: float, label: str, *, is_vertical: bool) -> None:
    """Mark a limit, such as that of an SLO."""
    draw = figure.add_vline if is_vertical else figure.add_hline
    draw(at, line={"dash": "dash", "width": 1.5, "color": "#d55e00"}, annotation_text=label)


def step_edges(edges: Sequence[float], values: Sequence[float]) -> tuple[list[float], list[float]]:
    """A histogram's outline: every edge twice, every value over its whole bin.

    >>> step_edges([0, 1, 2], [5, 7])
    ([0, 1, 1, 2], [5, 5, 7, 7])
    """
    x = [edges[0], *(edge for edge in edges[1:-1] for _ in (0, 1)), edges[-1]]
    return x, [value for value in values for _ in (0, 1)]
