"""The trace of nodes: a track for each, and who had it when."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dcsim.report.trace_events import Event, Track, name_event, slice_event, table_rows
from dcsim.tables import Table
from dcsim.tables.holdings import HolderKind

MAX_NODES = 256  # with tracks; of more, those that change hands most often
_ROUNDING_S = 1e-6  # ends and starts that are so close together are one instant
_NAMES = {HolderKind.JOB: "job {}", HolderKind.SPARE: "spare", HolderKind.DOWN: "down: {}"}


def node_events(holdings: Table, process: int) -> Iterator[Event]:
    """Slices by node. A node that several hold at once has as many tracks as that takes."""
    nodes = np.asarray(holdings["node"])
    numbers, counts = np.unique(nodes[nodes >= 0], return_counts=True)
    shown = np.sort(numbers[np.argsort(-counts, kind="stable")[:MAX_NODES]])
    some = f": {len(shown)} of {len(numbers):,}, those that changed hands most often"
    yield name_event("process_name", Track(process), "nodes" + (some if len(shown) < len(numbers) else ""))
    rows = np.flatnonzero(np.isin(nodes, shown))
    rows = rows[np.argsort(nodes[rows], kind="stable")]  # of each node in order of time
    last, ends_s, first = None, list[float](), 0  # the node, the ends of its tracks, and the first of these
    for one in table_rows(Table({name: column[rows] for name, column in holdings.columns.items()})):
        started_at_s, duration_s = _number(one["started_at_s"]), _number(one["duration_s"])
        if one["node"] != last:
            last, first, ends_s = one["node"], first + len(ends_s), []
        at = next((i for i, end_s in enumerate(ends_s) if end_s <= started_at_s + _ROUNDING_S), len(ends_s))
        track = Track(process, first + at)
        if at == len(ends_s):
            ends_s.append(0.0)
            yield name_event("thread_name", track, f"node {last}" + (f" ({at + 1})" if at else ""))
        ends_s[at] = started_at_s + duration_s
        name = _NAMES.get(HolderKind(str(one["kind"])), "{}").format(one["holder"])
        args = {"kind": one["kind"], "num_accelerators": one["num_accelerators"]}
        yield slice_event(track, "nodes", name, (started_at_s, duration_s), args)


def _number(value: object) -> float:
    assert isinstance(value, int | float)
    return float(value)
