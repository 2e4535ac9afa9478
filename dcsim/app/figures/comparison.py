"""Runs side by side: what cost, energy and latency ask of one another, and small multiples."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import plotly.graph_objects as go

from dcsim import Comparison, Estimate
from dcsim.app.figures.frame import framed
from dcsim.app.palette import GREY, SERIES, SYMBOLS
from dcsim.app.words import Words

_HEIGHT_PX = 420
_ROOM = 1.15  # beyond the largest value, for its label
_LEAST_PX, _MOST_PX = 14, 44
_BARS_PX, _BAR_PX = 110, 46  # of a figure of lying bars: its frame, and each bar
_SLOW = ("latency", "time", "completion")  # objectives that a larger mark is slower in
_AXES = {  # of objectives: title, and factor to its unit
    "usd_per_million_output_tokens": ("usd_per_million", 1.0),
    "usd_per_million_tokens": ("usd_per_million_trained", 1.0),
    "total_usd": ("cost_of_run_usd", 1.0),
    "facility_j_per_output_token": ("j_per_token", 1.0),
    "it_j_per_output_token": ("j_per_token", 1.0),
    "it_j_per_token": ("j_per_trained_token", 1.0),
    "facility_j": ("energy_of_run_kwh", 1 / 3.6e6),
    "it_j": ("energy_of_run_kwh", 1 / 3.6e6),
}
_PATTERNS = ("", "/", "x")  # of parts beyond the number of colours


def trade_off_figure(comparison: Comparison, words: Words) -> go.Figure | None:
    """Cost over energy, larger marks being slower; the Pareto front is joined. None without both numbers."""
    found = {one.name.partition(".")[0]: one for one in reversed(comparison.objectives)}
    if "cost" not in found or "energy" not in found:
        return None
    (x_title, x_factor), (y_title, y_factor) = (_axis(found[key].path, words) for key in ("cost", "energy"))
    cost, energy = _scaled(found["cost"].values, x_factor), _scaled(found["energy"].values, y_factor)
    slow = next((found[key] for key in _SLOW if key in found), None)
    latency = slow.values if slow is not None else (None,) * len(cost)
    figure = framed(x_title=x_title, y_title=y_title, height_px=_HEIGHT_PX)
    _add_front(figure, comparison, cost, energy, words)
    sizes = _sizes(latency)
    for number, label in enumerate(comparison.labels):
        x, y = cost[number], energy[number]
        if x is None or y is None:
            continue
        one = latency[number]
        about = "" if one is None else f"<br>{words('figures.latency')}: {one.value:.3g} s"
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
            hovertemplate=f"{label}<br>{x_title}: %{{x:.3g}}<br>{y_title}: %{{y:.3g}}{about}<extra></extra>",
        )
    figure.update_xaxes(range=[0, _ROOM * _highest(cost)])
    figure.update_yaxes(range=[0, _ROOM * _highest(energy)])
    return figure


def goodput_cost_figure(
    labels: Sequence[str],
    productive: Sequence[Estimate | None],
    cost: Sequence[Estimate | None],
    words: Words,
) -> go.Figure:
    """Cost of a million trained tokens over the share of the time that counts."""
    figure = framed(
        x_title=words("figures.goodput_percent"),
        y_title=words("figures.usd_per_million_trained"),
        height_px=_HEIGHT_PX,
    )
    for number, (label, x, y) in enumerate(zip(labels, _scaled(productive, 100.0), cost, strict=True)):
        if x is None or y is None:
            continue
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
            marker={"size": _LEAST_PX, "color": SERIES[number], "symbol": SYMBOLS[number]},
            hovertemplate=f"{label}<br>%{{x:.2f}} %<br>%{{y:.3g}} USD<extra></extra>",
        )
    figure.update_yaxes(rangemode="normal")
    return figure


def _axis(path: str, words: Words) -> tuple[str, float]:
    """The title of an axis of an objective, and what its values are multiplied by."""
    name = path.rsplit(".", 1)[-1]
    key, factor = _AXES[name]
    return words(f"figures.{key}"), factor


def _scaled(values: Sequence[Estimate | None], factor: float) -> list[Estimate | None]:
    return [None if one is None else _times(one, factor) for one in values]


def _times(one: Estimate, factor: float) -> Estimate:
    half_width = None if one.half_width is None else one.half_width * factor
    ends = None if one.prediction is None else (one.prediction[0] * factor, one.prediction[1] * factor)
    return replace(one, value=one.value * factor, half_width=half_width, prediction=ends)


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


def _highest(values: Sequence[Estimate | None]) -> float:
    """The upper end of the highest interval."""
    return max((one.value + _reaches(one, 1.0)[0] for one in values if one is not None), default=1.0)


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
