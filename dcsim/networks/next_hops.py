"""Next hops: from every vertex, the links that lead to a destination at the least cost."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dcsim.formulas.network.max_min import Indices, Mask
from dcsim.networks.network import Network

UNREACHED = np.iinfo(np.int64).max // 4


@dataclass(frozen=True, slots=True)
class Choices:
    """For each of several places: the first of its links in ``NextHops.links``, and how many there are."""

    firsts: Indices
    counts: Indices


class NextHops:
    """Least-cost links of a network with some cables failed, worked out for destinations as they come.

    Hosts at the same switches are reached the same way up to the last link, and share a table.
    """

    def __init__(self, network: Network, is_up: Mask) -> None:
        self._network = network
        order = np.argsort(network.sources, kind="stable")
        self._live = order[is_up[order]]  # live links by source
        by_end = self._live[np.argsort(network.destinations[self._live], kind="stable")]
        self._by_end, ends = by_end, network.destinations[by_end]
        vertices = np.arange(network.num_vertices + 1)
        self._end_starts = np.searchsorted(ends, vertices)
        self._inner = self._live[network.forwards[network.destinations[self._live]]]
        self._inner_sources = network.sources[self._inner]
        self._inner_ends = network.destinations[self._inner]
        codes = ends * network.num_vertices + network.sources[by_end]
        last_order = np.lexsort((network.costs[by_end], codes))
        self._last_codes, last_links = codes[last_order], by_end[last_order]
        self._last_costs = network.costs[last_links]
        self._table_of_signature: dict[tuple[tuple[int, int], ...], int] = {}
        self._table_of_vertex = np.full(network.num_vertices, -1, dtype=np.int64)
        self._tables: list[tuple[Indices, Indices, Indices, Indices]] = []
        self._distances = self._firsts = self._counts = np.empty((0, network.num_vertices), dtype=np.int64)
        self._last_links = self.links = last_links

    def tables(self, destinations: Indices) -> Indices:
        """The number of each destination's table, made if there is none yet."""
        new = [int(vertex) for vertex in np.unique(destinations) if self._table_of_vertex[vertex] < 0]
        num_before = len(self._tables)
        for vertex in new:
            signature = self._signature(vertex)
            if signature not in self._table_of_signature:
                self._table_of_signature[signature] = len(self._tables)
                self._tables.append(self._table(signature))
            self._table_of_vertex[vertex] = self._table_of_signature[signature]
        if len(self._tables) > num_before:
            self._stack()
        return self._table_of_vertex[destinations]

    def distances(self, tables: Indices, vertices: Indices) -> Indices:
        """The cost from each vertex to where its table leads; UNREACHED if there is no way."""
        return self._distances[tables, vertices]

    def choices(self, tables: Indices, vertices: Indices, destinations: Indices) -> Choices:
        """The links of least cost that lead on from each vertex to its destination."""
        codes = destinations * self._network.num_vertices + vertices
        straight = np.searchsorted(self._last_codes, codes)
        num_straight = np.searchsorted(self._last_codes, codes, side="right") - straight
        first_costs = self._last_costs.take(straight, mode="clip")
        is_last = (num_straight > 0) & (first_costs == self._distances[tables, vertices])
        is_last &= ~self._network.forwards[destinations]
        firsts = np.where(is_last, straight, self._firsts[tables, vertices])
        return Choices(firsts, np.where(is_last, num_straight, self._counts[tables, vertices]))

    def _signature(self, vertex: int) -> tuple[tuple[int, int], ...]:
        """Where the ways to a vertex end, with the cost from there."""
        if self._network.forwards[vertex]:
            return ((vertex, 0),)
        links = self._by_end[self._end_starts[vertex] : self._end_starts[vertex + 1]]
        ends = zip(self._network.sources[links].tolist(), self._network.costs[links].tolist(), strict=True)
        return tuple(sorted(set(ends)))

    def _table(self, signature: tuple[tuple[int, int], ...]) -> tuple[Indices, Indices, Indices, Indices]:
        """Distances, and the next links of every vertex: Bellman and Ford, all links at once."""
        distances = np.full(self._network.num_vertices, UNREACHED, dtype=np.int64)
        for vertex, cost in signature:
            distances[vertex] = min(distances[vertex], cost)
        costs = self._network.costs[self._inner]
        while True:
            through = np.minimum(distances.take(self._inner_ends) + costs, UNREACHED)
            shorter = np.flatnonzero(through < distances.take(self._inner_sources))
            if not len(shorter):
                break
            np.minimum.at(distances, self._inner_sources.take(shorter), through.take(shorter))
        is_next = (through == distances.take(self._inner_sources)) & (through < UNREACHED)
        counts = np.bincount(self._inner_sources[is_next], minlength=len(distances))
        return distances, np.cumsum(counts) - counts, counts, self._inner[is_next]

    def _stack(self) -> None:
        distances, firsts, counts, links = zip(*self._tables, strict=True)
        offsets = np.cumsum([len(self._last_links), *(len(one) for one in links[:-1])])
        self._distances, self._counts = np.stack(distances), np.stack(counts)
        self._firsts = np.stack(firsts) + offsets[:, None]
        self.links = np.concatenate((self._last_links, *links))
