"""Series of nodes: who had which node when, as bars that are few enough to draw."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from dcsim.metrics.columns import Array, Integers, floats, integers
from dcsim.metrics.figures import Figures
from dcsim.metrics.series.bins import chosen_rows, plain, words
from dcsim.tables import Table

MAX_NODES = 64  # drawn one by one
MAX_BARS = 1_500  # of all of them: about 100 kB of JSON
_ROUNDING = 1e-9  # of the whole time


class _Bar(NamedTuple):
    """A time in which a node's holders do not change, or a mean over several such times."""

    node: int
    row: int  # some row of the one who holds most
    started_at_s: float
    duration_s: float
    num_accelerators: float
    num_holders: int


def nodes_series(holdings: Table) -> Figures:
    """Bars of the nodes, named after who holds most of them at the time. Between bars a node is free.

    Where changes are too many, those that come close together are taken as one. Of more nodes than can be
    drawn, those that change hands most often are shown.
    """
    num_left_out = int(integers(holdings, "num_holdings")[integers(holdings, "node") < 0].sum())
    whole = chosen_rows(
        holdings, (integers(holdings, "node") >= 0) & (floats(holdings, "num_accelerators") > 0.0)
    )
    numbers, counts = np.unique(integers(whole, "node"), return_counts=True)
    shown = np.sort(numbers[np.argsort(-counts, kind="stable")[:MAX_NODES]])
    rows = chosen_rows(whole, np.isin(whole["node"], shown))
    bars = list(_bars(rows, shown))
    main = [one.row for one in bars]
    return {
        "node": [one.node for one in bars],
        "kind": words(rows["kind"][main]),
        "holder": words(rows["holder"][main]),
        "started_at_s": plain(one.started_at_s for one in bars),
        "duration_s": plain(one.duration_s for one in bars),
        "num_accelerators": plain(one.num_accelerators for one in bars),
        "num_holders": [one.num_holders for one in bars],
        "num_nodes_left_out": len(numbers) - len(shown),
        "num_holdings_left_out": num_left_out,
    }


def _bars(rows: Table, nodes: Integers) -> Iterator[_Bar]:
    """The bars of one node after another, in order of time."""
    started_at_s = floats(rows, "started_at_s")
    ended_at_s = started_at_s + floats(rows, "duration_s")
    texts = [f"{kind} {holder}" for kind, holder in zip(rows["kind"], rows["holder"], strict=True)]
    _, first_row, holder = np.unique(np.array(texts, dtype=str), return_index=True, return_inverse=True)
    tolerance_s = float(ended_at_s.max(initial=0.0)) * _ROUNDING
    num_cells = MAX_BARS // max(len(nodes), 1)
    for node in nodes.tolist():
        mine = np.flatnonzero(integers(rows, "node") == node)
        starts_s, ends_s = started_at_s[mine], ended_at_s[mine]
        edges = _edges(np.concatenate([starts_s, ends_s]), num_cells, tolerance_s)
        stretch, piece = _pieces(starts_s, ends_s, edges, tolerance_s)
        inside_s = np.minimum(ends_s[piece], edges[stretch + 1]) - np.maximum(starts_s[piece], edges[stretch])
        held_s = inside_s * floats(rows, "num_accelerators")[mine][piece]
        pairs, pair = np.unique(stretch * len(first_row) + holder[mine][piece], return_inverse=True)
        pair_s = np.asarray(np.bincount(pair, weights=held_s), dtype=np.float64)
        at, who = np.divmod(pairs, len(first_row))
        sums_s, num_holders = np.bincount(at, weights=pair_s), np.bincount(at)
        for largest in _largest(at, pair_s).tolist():
            number = int(at[largest])
            length_s = float(edges[number + 1] - edges[number])
            yield _Bar(
                node,
                int(first_row[who[largest]]),
                float(edges[number]),
                length_s,
                float(sums_s[number]) / length_s,
                int(num_holders[number]),
            )


def _edges(instants_s: Array, num_cells: int, tolerance_s: float) -> Array:
    """The instants, those close together as one: all of them if few, else the first in each cell of time."""
    edges: Array = np.unique(instants_s)
    edges = edges[np.append(True, np.diff(edges) > tolerance_s)]
    if len(edges) <= num_cells + 1:
        return edges
    cell = ((edges - edges[0]) / (edges[-1] - edges[0]) * num_cells).astype(np.int64)
    chosen: Array = edges[np.append(True, cell[1:] != cell[:-1])]  # the last is in a cell of its own
    return chosen


def _pieces(starts_s: Array, ends_s: Array, edges: Array, tolerance_s: float) -> tuple[Integers, Integers]:
    """Which stretches between edges each interval reaches into: pairs of stretch and interval."""
    first = np.searchsorted(edges, starts_s + tolerance_s, side="right") - 1
    last = np.searchsorted(edges, ends_s - tolerance_s, side="left") - 1
    counts = np.maximum(np.minimum(last, len(edges) - 2) - first + 1, 0)
    interval = np.repeat(np.arange(len(starts_s)), counts)
    within = np.arange(len(interval)) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.repeat(first, counts) + within, interval


def _largest(group: Integers, sizes: Array) -> Integers:
    """For each group, in order, the index of its largest."""
    order = np.lexsort((sizes, group))
    is_last = np.append(group[order][1:] != group[order][:-1], True)[: len(order)]
    chosen: Integers = order[is_last]
    return chosen
