"""Runs side by side: what cost, energy and latency ask of one another, and small multiples."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from dcsim import Comparison, Estimate
from dcsim.app.figures.frame import framed
from dcsim.app.palette import GREY, SERIES, SYMBOLS
from dcsim.app.words import Words

_HEIGHT_PX = 420
_LEAST_PX, _MOST_PX = 14, 44
_BARS_PX, _BAR_PX = 110, 46  # of a figure of lying bars: its frame, and each bar
_PATTERNS = ("", "/", "x")  # of parts beyond the number of colours


def trade_off_figure(comparison: Comparison, words: Words) -> go.Figure | None:
    """Cost over energy, larger marks being slower; the Pareto front is joined. None without both numbers."""
    found = {one.name.partition(".")[0]: one for one in reversed(comparison.objectives)}
    if "cost" not in found or "energy" not in found:
        return None
    cost, energy = found["cost"].values, found["energy"].values
    latency = found["latency"].values if "latency" in found else (None,) * len(cost)
    figure = framed(
        x_title=words("figures.usd_per_million"), y_title=words("figures.j_per_token"), height_px=_HEIGHT_PX
    )
    _add_front(figure, comparison, cost, energy, words)
    sizes = _sizes(latency)
    for number, label in enumerate(comparison.labels):
        x, y = cost[number], energy[number]
        if x is None or y is None:
            continue
        slow = latency[number]
        about = "" if slow is None else f"<br>{words('figures.latency')}: {slow.value:.3g} s"
        figure.add_scatter(
            x=[x.value],
            y=[y.value],
            mode="markers+text",
            text=[label],
            textposition="top center",
            name=label,
            error_x=_bars(x),
            error_y=_bars(y),
            showlegend=False,
            marker={
                "size": sizes[number],
                "color": SERIES[number],
                "symbol": SYMBOLS[number],
                "opacity": 0.85,
            },
            hovertemplate=f"{label}<br>%{{x:.3g}} USD<br>%{{y:.3g}} J{about}<extra></extra>",
        )
    figure.update_xaxes(rangemode="tozero")
    return figure


def small_figure(
    labels: Sequence[str], values: Sequence[Estimate | None], title: str, factor: float, unit: str
) -> go.Figure:
    """One number of every run as bars with their intervals."""
    figure = framed(y_title=unit, height_px=230)
    heights = [None if one is None else one.value * factor for one in values]
    ups, downs = zip(*(_reaches(one, factor) for one in values), strict=True)
    figure.add_bar(
        x=list(labels),
        y=heights,
        marker={"color": [SERIES[at % len(SERIES)] for at in range(len(labels))]},
        error_y={
            "type": "data",
            "array": ups,
            "arrayminus": downs,
            "symmetric": False,
            "thickness": 1.5,
            "color": GREY,
        },
        showlegend=False,
    )
    figure.update_layout(title={"text": title, "font": {"size": 14}})
    return figure


def _add_front(
    figure: go.Figure,
    comparison: Comparison,
    cost: Sequence[Estimate | None],
    energy: Sequence[Estimate | None],
    words: Words,
) -> None:
    points = sorted(
        (x.value, y.value)
        for x, y, is_on in zip(cost, energy, comparison.pareto, strict=True)
        if is_on and x is not None and y is not None
    )
    if len(points) > 1:
        figure.add_scatter(
            x=[x for x, _ in points],
            y=[y for _, y in points],
            mode="lines",
            name=words("figures.pareto"),
            line={"dash": "dot", "color": GREY},
        )


def _sizes(latency: Sequence[Estimate | None]) -> list[float]:
    known = [math.log(max(one.value, 1e-9)) for one in latency if one is not None]
    if not known or max(known) == min(known):
        return [_LEAST_PX * 1.5] * len(latency)
    low, span = min(known), max(known) - min(known)
    return [
        _LEAST_PX
        if one is None
        else _LEAST_PX + (_MOST_PX - _LEAST_PX) * (math.log(max(one.value, 1e-9)) - low) / span
        for one in latency
    ]


def _bars(one: Estimate) -> dict[str, object]:
    up, down = _reaches(one, 1.0)
    return {"type": "data", "array": [up], "arrayminus": [down], "symmetric": False, "thickness": 1.5}


def _reaches(one: Estimate | None, factor: float) -> tuple[float, float]:
    """How far the interval reaches above and below; 0 where an end has no bound."""
    if one is None:
        return 0.0, 0.0
    low, high = one.interval
    up, down = (high - one.value) * factor, (one.value - low) * factor
    return (up if math.isfinite(up) else 0.0), (down if math.isfinite(down) else 0.0)


def parts_figure(
    labels: Sequence[str], parts: Sequence[Mapping[str, float]], unit: str, order: Sequence[str]
) -> go.Figure:
    """Lying bars of parts that add up to a whole, one bar for each run.

    A part has the colour of its place in ``order``, whichever others are shown beside it.
    """
    figure = framed(x_title=unit, height_px=_BARS_PX + _BAR_PX * len(labels))
    shown = {key for one in parts for key in one}
    for number, key in enumerate(order):
        if key not in shown:
            continue
        figure.add_bar(
            y=list(labels),
            x=[one.get(key, 0.0) for one in parts],
            name=key,
            orientation="h",
            marker={
                "color": SERIES[number % len(SERIES)],
                "pattern": {"shape": _PATTERNS[number // len(SERIES)]},
            },
            hovertemplate=f"%{{y}}: {key} %{{x:.3g}} {unit}<extra></extra>",
        )
    figure.update_layout(barmode="stack", legend={"traceorder": "normal"}, bargap=0.25)
    figure.update_yaxes(autorange="reversed")
    return figure
