"""Routes: which links flows cross, and with which part of their rate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, pairwise

import numpy as np

from dcsim.formulas.network.max_min import Indices, Mask, Numbers, summed
from dcsim.networks.flow import AnyFlow, Ends
from dcsim.networks.known_ways import KnownWays
from dcsim.networks.network import Network
from dcsim.networks.walks import PairWays, Walks
from dcsim.policies.routing import Routing

_MAX_ENTRIES = 1_000_000  # links of routes kept
_MAX_PAIRS = 100_000  # whose ways are kept


@dataclass(frozen=True, slots=True, eq=False)
class Route:
    """The links that one flow, or one bundle, crosses, with weights as in ``formulas.max_min.Incidence``.

    ``is_open`` is False where some pair of endpoints has no way left: then there are no links. Flows between
    the same ends share a route, which is equal to itself alone.
    """

    links: Indices
    weights: Numbers
    latency_s: float
    is_open: bool


class Routes:
    """Ways through a network with some cables failed, under one routing."""

    def __init__(self, network: Network, routing: Routing, is_up: Mask | None = None) -> None:
        self._network = network
        walks = Walks(network, routing, np.full(network.num_links, True) if is_up is None else is_up)
        self._ways = KnownWays(walks, network.num_vertices)  # a job's bundles differ in few pairs
        self._known: dict[Ends, Route] = {}
        self._num_entries = 0

    def of(self, flows: Sequence[AnyFlow]) -> list[Route]:
        """The route of each flow."""
        ends = [flow.ends for flow in flows]
        found = [self._known.get(one) for one in ends]
        routes = [route for route in found if route is not None]
        if len(routes) == len(flows):
            return routes
        if self._num_entries > _MAX_ENTRIES:
            self._known, self._num_entries = {}, 0
        unknown = list(dict.fromkeys(one for one, route in zip(ends, found, strict=True) if route is None))
        known = dict(zip(unknown, self._found(unknown), strict=True))
        self._known |= known
        return [known[one] if route is None else route for one, route in zip(ends, found, strict=True)]

    def _found(self, ends: Sequence[Ends]) -> list[Route]:
        """The routes of these ends, from the ways of their pairs."""
        if len(self._ways) > _MAX_PAIRS:
            self._ways.forget()
        sources, destinations = (list(chain.from_iterable(side)) for side in zip(*ends, strict=True))
        pairs = self._ways.numbers(self._network.vertices(sources), self._network.vertices(destinations))
        num_pairs = [len(one) for one, _ in ends]
        if all(number == 1 for number in num_pairs):
            routes = _singles(self._ways.of(pairs))
        else:
            bounds = np.cumsum([0, *num_pairs]).tolist()
            routes = [self._joined(self._ways.of(pairs[start:end])) for start, end in pairwise(bounds)]
        self._num_entries += sum(len(route.links) for route in routes)
        return routes

    def _joined(self, ways: PairWays) -> Route:
        """The route of a bundle: those of its pairs, each link once."""
        latency_s = float(ways.latency_s.max(initial=0.0))
        if not ways.is_open.all():
            return Route(np.empty(0, dtype=np.int64), np.empty(0), latency_s, False)
        sums = summed(ways.links, ways.weights, self._network.num_links)
        used = np.flatnonzero(sums)
        return Route(used, sums[used], latency_s, True)


def _singles(ways: PairWays) -> list[Route]:
    """One route for each pair."""
    bounds = [0, *np.cumsum(ways.counts).tolist()]
    rest = zip(ways.latency_s.tolist(), ways.is_open.tolist(), strict=True)
    return [
        Route(ways.links[start:end], ways.weights[start:end], latency_s, is_open)
        for (start, end), (latency_s, is_open) in zip(pairwise(bounds), rest, strict=True)
    ]
