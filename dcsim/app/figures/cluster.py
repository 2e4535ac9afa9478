"""The cluster drawn: nodes with their accelerators, coloured by the replica that has them, and the fabric."""

from __future__ import annotations

import math
from dataclasses import dataclass

import plotly.graph_objects as go

from dcsim.app.palette import GREY, SERIES, faded
from dcsim.app.words import Words

_MAX_NODES = 24
_MAX_COLUMNS = 6
_CHIPS_IN_A_ROW = 8
_CHIP, _GAP, _PAD, _TITLE, _FABRIC = 1.0, 0.25, 0.5, 0.9, 0.9
_ROW_PX, _BASE_PX, _CHIP_PX = 92, 80, 34
_EDGE = {"width": 1, "color": GREY}
_CABLE = {"width": 2, "color": SERIES[5]}


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


def cluster_figure(placement: Placement, node: str, scale_out: str, words: Words) -> go.Figure:
    """Boxes of chips under a bar of the fabric; of a large cluster the first nodes."""
    shown = min(placement.num_nodes, _MAX_NODES)
    columns = min(shown, _MAX_COLUMNS)
    grid = _Grid(min(placement.accelerators_per_node, _CHIPS_IN_A_ROW), placement.accelerators_per_node)
    whole = columns * (grid.width + _PAD) - _PAD
    drawing = _Drawing([], [])
    drawing.box(0, 0, whole, _FABRIC, faded(SERIES[5], 0.25))
    drawing.label(whole / 2, _FABRIC / 2, scale_out)
    for number in range(shown):
        x = (number % columns) * (grid.width + _PAD)
        y = -(number // columns) * (grid.height + _PAD) - _PAD
        if number < columns:
            drawing.line(x + grid.width / 2, 0, y)
        drawing.box(x, y - grid.height, x + grid.width, y, faded(GREY, 0.12))
        drawing.label(x + grid.width / 2, y - _TITLE / 2, f"{node} {number + 1}")
        _draw_chips(drawing, placement, number, grid, (x + _PAD, y - _TITLE - _PAD))
    rows = math.ceil(shown / columns)
    figure = go.Figure(_legend(placement, words))
    figure.update_layout(
        shapes=drawing.shapes,
        annotations=drawing.labels,
        height=_BASE_PX + rows * (_ROW_PX + _CHIP_PX * (grid.rows - 1)),
        margin={"l": 0, "r": 0, "t": 30, "b": 0},
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.0, "x": 0},
        xaxis={"visible": False, "range": [-0.2, columns * (grid.width + _PAD)]},
        yaxis={"visible": False},
    )
    return figure


def num_hidden(placement: Placement) -> int:
    """Nodes that the figure leaves out."""
    return max(placement.num_nodes - _MAX_NODES, 0)


@dataclass(frozen=True, slots=True)
class _Grid:
    """How the accelerators of a node stand in its box."""

    per_row: int
    count: int

    @property
    def rows(self) -> int:
        return math.ceil(self.count / self.per_row)

    @property
    def width(self) -> float:
        return self.per_row * (_CHIP + _GAP) + 2 * _PAD

    @property
    def height(self) -> float:
        return self.rows * (_CHIP + _GAP) + 2 * _PAD + _TITLE


@dataclass(frozen=True, slots=True)
class _Drawing:
    """Shapes and labels, collected: given to the figure one by one they would take ten times as long."""

    shapes: list[dict[str, object]]
    labels: list[dict[str, object]]

    def box(self, x0: float, y0: float, x1: float, y1: float, colour: str) -> None:
        self.shapes.append(
            {"type": "rect", "x0": x0, "y0": y0, "x1": x1, "y1": y1, "fillcolor": colour, "line": _EDGE}
        )

    def line(self, x: float, y0: float, y1: float) -> None:
        self.shapes.append({"type": "line", "x0": x, "x1": x, "y0": y0, "y1": y1, "line": _CABLE})

    def label(self, x: float, y: float, text: str) -> None:
        self.labels.append({"x": x, "y": y, "text": text, "showarrow": False, "font": {"size": 11}})


def _draw_chips(
    drawing: _Drawing, placement: Placement, node: int, grid: _Grid, corner: tuple[float, float]
) -> None:
    for at in range(placement.accelerators_per_node):
        owner = placement.owner(node * placement.accelerators_per_node + at)
        left = corner[0] + (at % grid.per_row) * (_CHIP + _GAP)
        high = corner[1] - (at // grid.per_row) * (_CHIP + _GAP)
        colour = faded(GREY, 0.25)
        if owner is not None:
            colour = faded(SERIES[owner[0] % len(SERIES)], 0.9 if owner[1] % 2 == 0 else 0.55)
        drawing.box(left, high - _CHIP, left + _CHIP, high, colour)


def _legend(placement: Placement, words: Words) -> list[dict[str, object]]:
    entries = [(name, SERIES[number % len(SERIES)]) for number, (name, _, _) in enumerate(placement.replicas)]
    used = sum(num * size for _, num, size in placement.replicas)
    if used < placement.num_nodes * placement.accelerators_per_node:
        entries.append((words("figures.idle"), GREY))
    return [
        {
            "type": "scatter",
            "x": [None],
            "y": [None],
            "mode": "markers",
            "name": name,
            "showlegend": True,
            "marker": {"symbol": "square", "size": 12, "color": colour},
        }
        for name, colour in entries
    ]
