"""Entries: which slots cross which links with which part of their rate, all routes end to end."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dcsim.formulas.network.max_min import Indices, Mask, Numbers
from dcsim.networks.appended import Appended
from dcsim.networks.routes import Route


class Entries:
    """The links and weights of the routes of all slots, those left empty included until they are dropped."""

    def __init__(self) -> None:
        self._flows, self._links = Appended(np.int64), Appended(np.int64)
        self._weights = Appended(np.float64)
        self.version = 0  # as long as it stays, a slot with entries has the same ones
        self._firsts, self._counts = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)  # by slot

    def __len__(self) -> int:
        return len(self._flows)

    @property
    def flows(self) -> Indices:
        """The slot of each entry."""
        return self._flows.values

    @property
    def links(self) -> Indices:
        """The link of each entry."""
        return self._links.values

    @property
    def weights(self) -> Numbers:
        """The part of its slot's rate that crosses its link."""
        return self._weights.values

    @property
    def counts(self) -> Indices:
        """How many entries each slot has."""
        return self._counts

    def grow(self, num_slots: int) -> None:
        """Make room for so many slots."""
        added = np.zeros(num_slots - len(self._counts), dtype=np.int64)
        self._firsts = np.concatenate((self._firsts, added))
        self._counts = np.concatenate((self._counts, added))

    def append(self, slots: Indices, routes: Sequence[Route]) -> None:
        """Add the entries of slots that have none."""
        self.version += 1
        counts = np.array([len(route.links) for route in routes], dtype=np.int64)
        self._firsts[slots], self._counts[slots] = len(self) + np.cumsum(counts) - counts, counts
        self._flows.append(np.repeat(slots, counts))
        self._links.append(np.concatenate([route.links for route in routes]))
        self._weights.append(np.concatenate([route.weights for route in routes]))

    def links_of(self, slots: Indices) -> Indices:
        """The links of some slots, end to end."""
        counts = self._counts[slots]
        shifts = np.repeat(self._firsts[slots] - (np.cumsum(counts) - counts), counts)
        return self.links.take(shifts + np.arange(len(shifts)))

    def of(self, slot: int) -> slice:
        """Where the entries of a slot stand."""
        return slice(self._firsts[slot], self._firsts[slot] + self._counts[slot])

    def keep(self, is_live: Mask) -> None:
        """Drop the entries of all other slots."""
        self.version += 1
        kept = np.flatnonzero(is_live.take(self.flows))
        flows, links, weights = self.flows.take(kept), self.links.take(kept), self.weights.take(kept)
        self._flows, self._links = Appended(np.int64), Appended(np.int64)
        self._weights = Appended(np.float64)
        self._flows.append(flows)
        self._links.append(links)
        self._weights.append(weights)
        is_first = np.diff(flows, prepend=-1) != 0
        self._firsts[flows[is_first]] = np.flatnonzero(is_first)
