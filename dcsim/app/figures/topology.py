"""The network drawn: what stands where by its layer, and how busy what joins it is."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from dcsim.app.palette import BLUE, GREEN, GREY, ORANGE, SKY, VERMILLION
from dcsim.app.words import Words

Series = Mapping[str, Any]
Points = dict[str, tuple[float, float]]
_HEIGHT_PX = 460
_BANDS = (  # highest use, colour and width of a line: told apart by both
    (0.01, GREY, 0.6),
    (0.05, SKY, 1.2),
    (0.20, BLUE, 1.8),
    (0.50, GREEN, 2.6),
    (0.80, ORANGE, 3.6),
    (math.inf, VERMILLION, 5.0),
)
_FIRST, _STORES = "node", ("store", "store port")
_SYMBOLS = ("circle", "square", "diamond", "triangle-up", "hexagon", "star", "cross", "x")
_MOST_LABELS = 40


def topology_figure(links: Series, use: str, words: Words) -> go.Figure | None:
    """The links in bands of use, each as busy as its busier direction; None without a picture."""
    vertices = links["vertices"]
    if not vertices["name"]:
        return None
    layer_of = dict(zip(vertices["name"], vertices["layer"], strict=True))
    pairs = _pairs(links, use)
    points = _points(layer_of, list(pairs))
    figure = go.Figure()
    lowest = 0.0
    for highest, colour, width in _BANDS:
        own = [pair for pair, share in pairs.items() if lowest <= share < highest]
        _add_lines(figure, own, points, {"color": colour, "width": width}, _band(lowest, highest))
        lowest = highest
    _add_vertices(figure, layer_of, points, words)
    _add_hover(figure, pairs, points)
    figure.update_layout(
        height=_HEIGHT_PX,
        margin={"l": 8, "r": 8, "t": 36, "b": 8},
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.02, "x": 0},
        hovermode="closest",
        xaxis={"visible": False},
        yaxis={"visible": False},
    )
    return figure


def _pairs(links: Series, use: str) -> dict[tuple[str, str], float]:
    """The use of what joins two vertices, whichever direction is busier."""
    found: dict[tuple[str, str], float] = {}
    for source, destination, share in zip(links["source"], links["destination"], links[use], strict=True):
        pair = (source, destination) if source < destination else (destination, source)
        found[pair] = max(found.get(pair, 0.0), share or 0.0)
    return found


def _points(layer_of: Mapping[str, str], pairs: Sequence[tuple[str, str]]) -> Points:
    """Layers as rows, nodes lowest; as rings where a layer is joined within itself, as in a torus."""
    layers = _in_order(layer_of, pairs)
    members = {layer: [name for name, own in layer_of.items() if own == layer] for layer in layers}
    is_flat = any(layer_of[one] == layer_of[other] for one, other in pairs)
    found: Points = {}
    for depth, (_, names) in enumerate(members.items()):
        for at, name in enumerate(names):
            if is_flat:
                radius, angle = len(layers) - depth, 2 * math.pi * at / len(names)
                found[name] = (radius * math.sin(angle), radius * math.cos(angle))
            else:
                found[name] = ((at + 0.5) / len(names), float(depth))
    return found


def _in_order(layer_of: Mapping[str, str], pairs: Sequence[tuple[str, str]]) -> list[str]:
    """The layers by their distance from the nodes; stores last."""
    kinds = {(layer_of[one], layer_of[other]) for one, other in pairs}
    kinds |= {(other, one) for one, other in kinds}
    first = _FIRST if _FIRST in layer_of.values() else next(iter(layer_of.values()))
    found = [first]
    for layer in found:
        found += sorted({other for one, other in kinds if one == layer and other not in (*found, *_STORES)})
    rest = [layer for layer in dict.fromkeys(layer_of.values()) if layer not in found]
    return found + sorted(rest, key=lambda layer: (layer in _STORES, layer == "store", layer))


def _add_lines(
    figure: go.Figure, pairs: Sequence[tuple[str, str]], points: Points, line: dict[str, object], label: str
) -> None:
    if not pairs:
        return
    ends = [(points[one], points[other]) for one, other in pairs]
    figure.add_scatter(
        x=[x for (x0, _), (x1, _) in ends for x in (x0, x1, None)],
        y=[y for (_, y0), (_, y1) in ends for y in (y0, y1, None)],
        mode="lines",
        line=line,
        name=label,
        hoverinfo="skip",
    )


def _add_vertices(figure: go.Figure, layer_of: Mapping[str, str], points: Points, words: Words) -> None:
    for number, layer in enumerate(dict.fromkeys(layer_of.values())):
        names = [name for name, own in layer_of.items() if own == layer]
        has_labels = len(names) <= _MOST_LABELS
        figure.add_scatter(
            x=[points[name][0] for name in names],
            y=[points[name][1] for name in names],
            text=[name.removeprefix(f"{layer} ") for name in names],
            customdata=names,
            mode="markers+text" if has_labels else "markers",
            textposition="bottom center" if layer == _FIRST else "top center",
            name=words.maybe(f"layers.{layer}", layer),
            marker={
                "size": 10 if has_labels else 6,
                "symbol": _SYMBOLS[number % len(_SYMBOLS)],
                "color": GREY,
            },
            hovertemplate="%{customdata}<extra></extra>",
        )


def _add_hover(figure: go.Figure, pairs: Mapping[tuple[str, str], float], points: Points) -> None:
    """Marks in the middle of the links, not to be seen, that tell their use."""
    figure.add_scatter(
        x=[(points[one][0] + points[other][0]) / 2 for one, other in pairs],
        y=[(points[one][1] + points[other][1]) / 2 for one, other in pairs],
        customdata=[f"{one} – {other}: {share:.1%}" for (one, other), share in pairs.items()],
        mode="markers",
        marker={"size": 12, "opacity": 0},
        showlegend=False,
        hovertemplate="%{customdata}<extra></extra>",
    )


def _band(lowest: float, highest: float) -> str:
    """
    >>> _band(0.05, 0.2), _band(0.8, math.inf)
    ('5–20 %', '> 80 %')
    """
    if math.isinf(highest):
        return f"> {lowest:.0%}".replace("%", " %")
    return f"{100 * lowest:.0f}–{100 * highest:.0f} %"
