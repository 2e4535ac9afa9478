"""Columns over bins of a run's time, and lists that JSON can say."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from dcsim.metrics.columns import Array, Integers, Mask, floats
from dcsim.metrics.figures import Figure, Figures, finite
from dcsim.metrics.run_bins import RunBins
from dcsim.metrics.time_bins import BinnedSums
from dcsim.tables import Table


def chosen_rows(table: Table, rows: Mask | Integers) -> Table:
    """Some rows of a table."""
    return Table({name: column[rows] for name, column in table.columns.items()})


def bin_starts(bins: RunBins) -> Figures:
    """Where the bins begin, and how long they are: what every timeline starts with."""
    return {"started_at_s": plain(bins.edges_s()[:-1]), "bin_s": bins.bin_s}


def mean_levels(table: Table, names: Sequence[str], bins: RunBins, rows: Mask | None = None) -> Figures:
    """Columns of a table of levels (``started_at_s``, ``duration_s``, ...) as means over the bins."""
    chosen = np.full(len(table), True) if rows is None else rows
    duration_s = floats(table, "duration_s")[chosen]
    sums = BinnedSums(bins.edges_s())
    areas = {name: floats(table, name)[chosen] * duration_s for name in names}
    sums.add(floats(table, "started_at_s")[chosen], duration_s, areas)
    return {name: plain(sums.bins(name) / bins.bin_s) for name in names}


def plain(values: Array | Iterable[float]) -> list[Figure]:
    """Numbers as a list; None for those that are infinite or undefined."""
    return [finite(value) for value in values]


def words(values: Iterable[object]) -> list[Figure]:
    """Names as a list of plain text."""
    return [str(value) for value in values]
