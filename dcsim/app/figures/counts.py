"""Lying bars of counts or shares by name, largest first."""

from __future__ import annotations

from collections.abc import Mapping

import plotly.graph_objects as go

from dcsim.app.figures.frame import framed
from dcsim.app.palette import BLUE, SERIES

_FRAME_PX, _BAR_PX = 90, 24
_ROOM = 1.25  # beyond the longest bar, for its text
_PATTERNS = ("", "/", "x")


def counts_figure(
    counts: Mapping[str, float], x_title: str, texts: Mapping[str, str] | None = None
) -> go.Figure:
    """One bar for each name, with its number, or another text, at its end."""
    ordered = sorted(counts.items(), key=lambda pair: -pair[1])
    figure = framed(x_title=x_title, height_px=_FRAME_PX + _BAR_PX * max(len(ordered), 2))
    figure.add_bar(
        y=[name for name, _ in ordered],
        x=[count for _, count in ordered],
        orientation="h",
        marker={"color": BLUE},
        text=[(texts or {}).get(name, f"{count:,.3g}") for name, count in ordered],
        textposition="outside",
        cliponaxis=False,
        showlegend=False,
    )
    figure.update_yaxes(autorange="reversed", type="category")
    figure.update_xaxes(range=[0, _ROOM * max(counts.values(), default=1.0)])
    return figure


def shares_figure(rows: Mapping[str, Mapping[str, float | None]], x_title: str) -> go.Figure:
    """Shares in percent by name, several for each, as of the mean and of the busiest."""
    labels = list(dict.fromkeys(label for shares in rows.values() for label in shares))
    figure = framed(x_title=x_title, height_px=_FRAME_PX + (_BAR_PX + 14) * max(len(rows), 2))
    for number, label in enumerate(labels):
        values = [shares.get(label) for shares in rows.values()]
        figure.add_bar(
            y=list(rows),
            x=[None if one is None else 100.0 * one for one in values],
            orientation="h",
            name=label,
            marker={"color": SERIES[number], "pattern": {"shape": _PATTERNS[number % len(_PATTERNS)]}},
            hovertemplate=f"%{{y}}: {label} %{{x:.2f}} %<extra></extra>",
        )
    figure.update_layout(barmode="group", bargap=0.25, legend={"traceorder": "normal"})
    figure.update_yaxes(autorange="reversed", type="category")
    return figure
