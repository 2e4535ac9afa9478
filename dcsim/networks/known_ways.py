"""Ways of pairs of vertices, walked once and kept."""

from __future__ import annotations

import numpy as np

from dcsim.formulas.network.max_min import Indices
from dcsim.networks.appended import Appended
from dcsim.networks.walks import PairWays, Walks


class KnownWays:
    """The ways found so far, their entries end to end. A pair has a number, until ``forget``."""

    def __init__(self, walks: Walks, num_vertices: int) -> None:
        self._walks, self._num_vertices = walks, num_vertices
        self.forget()

    def forget(self) -> None:
        """Drop all ways."""
        self._codes, self._numbers = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
        self._links, self._weights = Appended(np.int64), Appended(np.float64)
        self._firsts, self._counts = Appended(np.int64), Appended(np.int64)
        self._latency_s, self._is_open = Appended(np.float64), Appended(np.bool_)

    def __len__(self) -> int:
        return len(self._codes)

    def numbers(self, sources: Indices, destinations: Indices) -> Indices:
        """The number of each pair, its way found if it was not known."""
        codes = sources * self._num_vertices + destinations
        at = np.searchsorted(self._codes, codes)
        unknown = codes[self._codes.take(at, mode="clip") != codes] if len(self) else codes
        if len(unknown):
            self._add(np.unique(unknown))
            at = np.searchsorted(self._codes, codes)
        return self._numbers.take(at)

    def of(self, pairs: Indices) -> PairWays:
        """The ways of pairs by number, end to end; where a pair comes twice, so do its entries."""
        counts = self._counts.values.take(pairs)
        shifts = self._firsts.values.take(pairs) - (np.cumsum(counts) - counts)
        entries = np.repeat(shifts, counts) + np.arange(counts.sum())
        return PairWays(
            self._links.values.take(entries),
            self._weights.values.take(entries),
            counts,
            self._latency_s.values.take(pairs),
            self._is_open.values.take(pairs),
        )

    def _add(self, codes: Indices) -> None:
        """Walk the ways of new pairs, whose codes are sorted."""
        found = self._walks.between(codes // self._num_vertices, codes % self._num_vertices)
        at, numbers = np.searchsorted(self._codes, codes), len(self) + np.arange(len(codes))
        self._codes, self._numbers = np.insert(self._codes, at, codes), np.insert(self._numbers, at, numbers)
        self._firsts.append(len(self._links) + np.cumsum(found.counts) - found.counts)
        self._counts.append(found.counts)
        self._links.append(found.links)
        self._weights.append(found.weights)
        self._latency_s.append(found.latency_s)
        self._is_open.append(found.is_open)
