"""Sums over rows of the table steps, shared out to bins of time."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from dcsim.metrics.columns import Array


class BinnedSums:
    """Sums of quantities per bin of time; a row that crosses an edge is shared out by time."""

    def __init__(self, edges: Array) -> None:
        self.edges = edges
        self._sums: dict[str, Array] = {}

    def add(self, started_at_s: Array, duration_s: Array, quantities: Mapping[str, Array]) -> None:
        """Add rows: each quantity is the row's total, spread evenly over its duration."""
        ended_at_s = started_at_s + duration_s
        first = np.searchsorted(self.edges, started_at_s, side="right")
        last = np.maximum(np.searchsorted(self.edges, ended_at_s, side="left"), first)
        for name in quantities:
            self._sums.setdefault(name, np.zeros(len(self.edges) - 1))
        whole = first == last
        self._put(first[whole], {name: values[whole] for name, values in quantities.items()})
        crossing = np.flatnonzero(~whole)
        bounds = np.concatenate(([-np.inf], self.edges, [np.inf]))
        step = 0
        while len(crossing):
            at = first[crossing] + step
            low = np.maximum(started_at_s[crossing], bounds[at])
            high = np.minimum(ended_at_s[crossing], bounds[at + 1])
            share = (high - low) / duration_s[crossing]
            self._put(at, {name: values[crossing] * share for name, values in quantities.items()})
            crossing = crossing[at < last[crossing]]
            step += 1

    def _put(self, at: npt.NDArray[np.intp], quantities: Mapping[str, Array]) -> None:
        # bin 0 lies before the first edge and the last one after the last edge: both are outside
        for name, values in quantities.items():
            self._sums[name] += np.bincount(at, weights=values, minlength=len(self.edges) + 1)[1:-1]

    def bins(self, name: str) -> Array:
        """The sums per bin."""
        found = self._sums.get(name)
        return found if found is not None else np.zeros(len(self.edges) - 1)

    def total(self, name: str, first: int = 0, beyond: int | None = None) -> float:
        """The sum from bin ``first`` up to, not including, bin ``beyond``."""
        return float(self.bins(name)[first:beyond].sum())
