"""Ways: routes in the network as it is now, with what has failed left out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from dcsim.formulas.network.max_min import Numbers
from dcsim.networks.flow import AnyFlow
from dcsim.networks.network import Network
from dcsim.networks.routes import Route, Routes
from dcsim.policies.routing import Routing


class Ways:
    """The routes of flows now: those of the whole network while nothing is down, else detours."""

    def __init__(self, network: Network, routing: Routing) -> None:
        self._network, self._routing = network, routing
        self._whole = Routes(network, routing)
        self._now: Routes | None = self._whole
        self.is_up = np.full(network.num_links, True)
        self.is_whole = True  # no cable is down
        self.bytes_per_s: Numbers = network.bytes_per_s  # what each link carries at most now
        self._states = {self.is_up.tobytes(): 0}
        self.state = 0  # a number for each set of cables that are down

    def switch(self, cables: Iterable[int], *, is_up: bool) -> None:
        """Take cables out of service, or put them back. Raises KeyError for a number that is no cable."""
        for cable in cables:
            if not 0 <= cable < self._network.num_cables:
                raise KeyError(cable)
            self.is_up[2 * cable : 2 * cable + 2] = is_up
        self.is_whole = bool(self.is_up.all())
        self.bytes_per_s = np.where(self.is_up, self._network.bytes_per_s, 0.0)
        self.state = self._states.setdefault(self.is_up.tobytes(), len(self._states))
        self._now = self._whole if self.is_whole else None

    def of(self, flows: Sequence[AnyFlow]) -> list[Route]:
        """The way of each flow."""
        if self._now is None:
            self._now = Routes(self._network, self._routing, self.is_up.copy())
        return self._now.of(flows) if flows else []

    def is_passable(self, route: Route) -> bool:
        """Whether all links of a way are up."""
        return bool(self.is_up[route.links].all())

    def sent_bytes_per_s(self, flow: AnyFlow) -> float:
        """The rate at which the flow's source sends, shared by the members of a bundle that start there."""
        sources = flow.ends[0]
        vertex = self._network.vertex(sources[0])
        return self._network.host_bytes_per_s(vertex) / sources.count(sources[0])

    def alone_bytes_per_s(self, route: Route) -> float:
        """The rate that a flow would have if no other were there and nothing were down."""
        if not len(route.links):
            return float("inf")
        return float((self._network.bytes_per_s[route.links] / route.weights).min())
