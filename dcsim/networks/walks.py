"""Walks through a network: all flows at once, hop by hop, divided wherever their routing divides them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dcsim.formulas.network.max_min import Indices, Mask, Numbers, summed
from dcsim.networks.network import Network
from dcsim.networks.next_hops import UNREACHED, Choices, NextHops
from dcsim.policies.routing import Crossroads, Routing
from dcsim.policies.routings.spray import Spray

_EVENLY = Spray()  # how a host uses its ports, whatever the switches do


@dataclass(frozen=True, slots=True)
class PairWays:
    """What walks found, pair after pair: ``counts`` entries each, links in order, each once."""

    links: Indices
    weights: Numbers
    counts: Indices
    latency_s: Numbers
    is_open: Mask


@dataclass(slots=True)
class _Walk:
    """Parts of flows on their way: equally long columns."""

    owners: Indices
    pairs: Indices
    sources: Indices
    destinations: Indices
    tables: Indices
    paths: Indices
    vertices: Indices
    strides: Indices
    weights: Numbers
    latency_s: Numbers

    def rows(self, chosen: Indices) -> _Walk:
        """The chosen rows; rows chosen several times are not divided."""
        return _Walk(*(getattr(self, name).take(chosen) for name in self.__slots__))


class Walks:
    """Finds the ways between pairs of vertices under one routing, with some cables failed."""

    def __init__(self, network: Network, routing: Routing, is_up: Mask) -> None:
        self._network, self._routing = network, routing
        self._hops = NextHops(network, is_up)

    def between(self, sources: Indices, destinations: Indices) -> PairWays:
        """The way of each pair; none is needed from a vertex to itself."""
        num_pairs = len(sources)
        is_open, latency_s = np.full(num_pairs, True), np.zeros(num_pairs)
        table = np.column_stack((np.arange(num_pairs), sources, destinations))
        walk = self._begun(table[sources != destinations])
        lost = self._hops.distances(walk.tables, walk.vertices) >= UNREACHED
        is_open[walk.owners[lost]] = False
        walk = walk.rows(np.flatnonzero(is_open[walk.owners]))
        entries = self._walked(walk, latency_s)
        return _by_owner(entries, latency_s, is_open, self._network.num_links)

    def _begun(self, table: Indices) -> _Walk:
        owners, sources, destinations = table.T
        return _Walk(
            owners=owners,
            pairs=np.arange(len(table)),
            sources=sources,
            destinations=destinations,
            tables=self._hops.tables(destinations),
            paths=np.full(len(table), -1),  # not yet divided among paths
            vertices=sources,
            strides=np.ones(len(table), dtype=np.int64),
            weights=np.ones(len(table)),
            latency_s=np.zeros(len(table)),
        )

    def _walked(self, walk: _Walk, latency_s: Numbers) -> list[tuple[Indices, Indices, Numbers]]:
        """Owners, links and weights of every hop; the longest latency of each owner goes to ``latency_s``."""
        entries: list[tuple[Indices, Indices, Numbers]] = []
        while len(walk.owners):
            choices = self._hops.choices(walk.tables, walk.vertices, walk.destinations)
            walk, at = self._branched(walk, choices)
            links = self._hops.links.take(at)
            entries.append((walk.owners, links, walk.weights))
            walk.latency_s = walk.latency_s + self._network.latency_s.take(links)
            np.maximum.at(latency_s, walk.owners, walk.latency_s)
            walk.vertices = self._network.destinations.take(links)
            walk = walk.rows(np.flatnonzero(walk.vertices != walk.destinations))
            if self._routing.is_spread:
                walk = _merged(walk, self._network.num_vertices)
        return entries

    def _branched(self, walk: _Walk, choices: Choices) -> tuple[_Walk, Indices]:
        """The walk divided among choices, and where in the links the choice of each part stands."""
        is_start = ~self._network.forwards.take(walk.vertices) & (walk.vertices == walk.sources)
        starting, going = np.flatnonzero(is_start), np.flatnonzero(~is_start)
        undivided = (walk.paths[going] < 0) & (choices.counts[going] > 1)
        copies = np.where(undivided, self._routing.num_paths, 1)
        going = np.repeat(going, copies)
        first, second = walk.rows(starting), walk.rows(going)
        turn = np.arange(len(going)) - np.repeat(np.cumsum(copies) - copies, copies)
        second.paths = np.where(np.repeat(undivided, copies), turn, second.paths)
        second.weights = second.weights / np.repeat(copies, copies)
        parts = (
            self._taken(first, choices.firsts[starting], choices.counts[starting], _EVENLY),
            self._taken(second, choices.firsts[going], choices.counts[going], self._routing),
        )
        second = parts[1][0]
        second.strides = second.strides * choices.counts[going].take(parts[1][2])
        joined = _Walk(
            *(np.concatenate((getattr(parts[0][0], n), getattr(second, n))) for n in _Walk.__slots__)
        )
        return joined, np.concatenate((parts[0][1], parts[1][1]))

    def _taken(
        self, walk: _Walk, firsts: Indices, counts: Indices, routing: Routing
    ) -> tuple[_Walk, Indices, Indices]:
        """The walk after one routing chose, where the links of its rows stand, and whence the rows come."""
        at = Crossroads(
            walk.sources, walk.destinations, np.maximum(walk.paths, 0), walk.vertices, counts, walk.strides
        )
        rows, picks = routing.branches(at)
        taken = walk.rows(rows)
        taken.weights = taken.weights / np.bincount(rows, minlength=len(counts)).take(rows)
        return taken, firsts.take(rows) + picks, rows


def _merged(walk: _Walk, num_vertices: int) -> _Walk:
    """Parts of one flow that meet at a vertex, as one."""
    places = walk.pairs * num_vertices + walk.vertices
    _, firsts, inverse = np.unique(places, return_index=True, return_inverse=True)
    merged = walk.rows(firsts)
    merged.weights = summed(inverse, walk.weights, len(firsts))
    return merged


def _by_owner(
    entries: list[tuple[Indices, Indices, Numbers]], latency_s: Numbers, is_open: Mask, num_links: int
) -> PairWays:
    """The entries of each owner together, its links in order, each once."""
    none = (np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64), np.empty(0))
    owners, links, weights = (np.concatenate(column) for column in zip(none, *entries, strict=True))
    codes, inverse = np.unique(owners * num_links + links, return_inverse=True)
    counts = np.bincount(codes // num_links, minlength=len(is_open))
    return PairWays(codes % num_links, summed(inverse, weights, len(codes)), counts, latency_s, is_open)
