"""The cluster drawn: nodes with their accelerators, coloured by the replica that has them, and the fabric."""

from __future__ import annotations

import math
from dataclasses import dataclass

import plotly.graph_objects as go

from dcsim.app.palette import GREY, SERIES, faded
from dcsim.app.words import Words

_MAX_NODES = 24
_MAX_COLUMNS = 6
_CHIP, _GAP, _PAD = 1.0, 0.25, 0.5
_ROW_PX, _BASE_PX = 92, 80


@dataclass(frozen=True, slots=True)
class Placement:
    """What stands where: replicas one after the other, each over so many accelerators."""

    num_nodes: int
    accelerators_per_node: int
    replicas: tuple[tuple[str, int, int], ...]  # workload, number of replicas, accelerators of each

    def owner(self, index: int) -> tuple[int, int] | None:
        """Workload and replica that have an accelerator; None where it is left idle."""
        start = 0
        for workload, (_, num_replicas, size) in enumerate(self.replicas):
            if index < start + num_replicas * size:
                return workload, (index - start) // size
            start += num_replicas * size
        return None


def cluster_figure(placement: Placement, node: str, scale_up: str, scale_out: str, words: Words) -> go.Figure:
    """Boxes of chips under a bar of the fabric; of a large cluster the first nodes."""
    shown = min(placement.num_nodes, _MAX_NODES)
    columns = min(shown, _MAX_COLUMNS)
    per_row = min(placement.accelerators_per_node, 8)
    chip_rows = math.ceil(placement.accelerators_per_node / per_row)
    width = per_row * (_CHIP + _GAP) + 2 * _PAD
    height = chip_rows * (_CHIP + _GAP) + 2 * _PAD + 0.9
    rows = math.ceil(shown / columns)
    figure = go.Figure()
    top = 1.2
    _box(figure, 0, 0, columns * (width + _PAD) - _PAD, top - 0.3, faded(SERIES[5], 0.25))
    _label(figure, (columns * (width + _PAD) - _PAD) / 2, (top - 0.3) / 2, scale_out)
    for number in range(shown):
        x = (number % columns) * (width + _PAD)
        y = -(number // columns) * (height + _PAD) - _PAD
        if number < columns:
            _line(figure, x + width / 2, 0, y)
        _box(figure, x, y - height, x + width, y, faded(GREY, 0.12))
        _label(figure, x + width / 2, y - 0.45, f"{node} {number + 1} · {scale_up}")
        _chips(figure, placement, number, x + _PAD, y - 0.9 - _PAD, per_row)
    _legend(figure, placement, words)
    figure.update_layout(
        height=_BASE_PX + rows * (_ROW_PX + 34 * (chip_rows - 1)),
        margin={"l": 0, "r": 0, "t": 30, "b": 0},
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.0, "x": 0},
    )
    figure.update_xaxes(visible=False, range=[-0.2, columns * (width + _PAD)])
    figure.update_yaxes(visible=False)
    return figure


def num_hidden(placement: Placement) -> int:
    """Nodes that the figure leaves out."""
    return max(placement.num_nodes - _MAX_NODES, 0)


def _chips(figure: go.Figure, placement: Placement, node: int, x: float, y: float, per_row: int) -> None:
    """The accelerators of a node as squares: one trace for each owner would be slow, so shapes."""
    for at in range(placement.accelerators_per_node):
        owner = placement.owner(node * placement.accelerators_per_node + at)
        left = x + (at % per_row) * (_CHIP + _GAP)
        high = y - (at // per_row) * (_CHIP + _GAP)
        colour = faded(GREY, 0.25)
        if owner is not None:
            colour = faded(SERIES[owner[0] % len(SERIES)], 0.9 if owner[1] % 2 == 0 else 0.55)
        _box(figure, left, high - _CHIP, left + _CHIP, high, colour)


def _legend(figure: go.Figure, placement: Placement, words: Words) -> None:
    entries = [(name, SERIES[number % len(SERIES)]) for number, (name, _, _) in enumerate(placement.replicas)]
    used = sum(num * size for _, num, size in placement.replicas)
    if used < placement.num_nodes * placement.accelerators_per_node:
        entries.append((words("figures.idle"), GREY))
    for name, colour in entries:
        figure.add_scatter(
            x=[None],
            y=[None],
            mode="markers",
            name=name,
            marker={"symbol": "square", "size": 12, "color": colour},
        )


def _box(figure: go.Figure, x0: float, y0: float, x1: float, y1: float, colour: str) -> None:
    figure.add_shape(
        type="rect", x0=x0, y0=y0, x1=x1, y1=y1, fillcolor=colour, line={"width": 1, "color": GREY}
    )


def _line(figure: go.Figure, x: float, y0: float, y1: float) -> None:
    figure.add_shape(type="line", x0=x, x1=x, y0=y0, y1=y1, line={"width": 2, "color": SERIES[5]})


def _label(figure: go.Figure, x: float, y: float, text: str) -> None:
    figure.add_annotation(x=x, y=y, text=text, showarrow=False, font={"size": 11})
