"""A network as arrays: vertices, and directed links with what they carry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from dcsim.formulas.network.max_min import Indices, Mask, Numbers
from dcsim.networks.flow import Endpoint

SCALE_UP_COST = 1
SCALE_OUT_COST = 4  # a way inside a scale-up domain is preferred to one of as many hops outside
LAST_RESORT_COST = 1_000  # links to gateways: never on the way between two hosts


@dataclass(frozen=True, slots=True)
class Network:
    """Hosts, switches and gateways joined by cables; cable c is the links 2c, forth, and 2c + 1, back.

    Vertices 0 to ``num_hosts`` - 1 are the nodes of the cluster. Paths are those of the least cost; only
    vertices that ``forwards`` may stand inside one. ``attachments`` are where gateways are plugged in.
    """

    names: tuple[str, ...]
    num_hosts: int
    sources: Indices
    destinations: Indices
    bytes_per_s: Numbers
    latency_s: Numbers
    costs: Indices
    forwards: Mask
    attachments: tuple[int, ...]
    gateways: Mapping[str, int] = field(default_factory=dict)

    @property
    def num_vertices(self) -> int:
        """Hosts, switches and gateways."""
        return len(self.names)

    @property
    def num_links(self) -> int:
        """Directed links, two for each cable."""
        return len(self.sources)

    @property
    def num_cables(self) -> int:
        """Cables, each of two directions."""
        return len(self.sources) // 2

    def vertex(self, endpoint: Endpoint) -> int:
        """The vertex of a node or of a gateway. Raises KeyError for one that is not there."""
        if isinstance(endpoint, str):
            return self.gateways[endpoint]
        if not 0 <= endpoint < self.num_hosts:
            raise KeyError(endpoint)
        return endpoint

    def vertices(self, endpoints: Sequence[Endpoint]) -> Indices:
        """The vertices of many endpoints. Raises KeyError for one that is not there."""
        if str in map(type, endpoints):
            numbers = {one: self.vertex(one) for one in set(endpoints)}
            return np.array([numbers[one] for one in endpoints], dtype=np.int64)
        nodes = np.array(endpoints, dtype=np.int64)
        strangers = nodes[(nodes < 0) | (nodes >= self.num_hosts)]
        if len(strangers):
            raise KeyError(int(strangers[0]))
        return nodes

    @property
    def switches(self) -> tuple[str, ...]:
        """Names of the switches, ports of gateways left out."""
        ports = {f"{name} port" for name in self.gateways}
        return tuple(n for n in self.names[self.num_hosts :] if n not in ports and n not in self.gateways)

    def link_name(self, link: int) -> str:
        """Its two ends: ``leaf 0 -> spine 3``."""
        return f"{self.names[self.sources[link]]} -> {self.names[self.destinations[link]]}"

    def cables_of(self, name: str) -> tuple[int, ...]:
        """All cables of a vertex, which are lost with a switch. Raises ValueError for an unknown name."""
        vertex = self.names.index(name)
        return tuple(int(link) // 2 for link in np.flatnonzero(self.sources == vertex))

    def cables_between(self, one: str, other: str) -> tuple[int, ...]:
        """The cables from one vertex to another."""
        return tuple(sorted(set(self.cables_of(one)) & set(self.cables_of(other))))

    def host_bytes_per_s(self, host: int) -> float:
        """What a host can send at most between scale-up domains, over its links but those of last resort."""
        is_own = (self.sources == host) & (self.costs > SCALE_UP_COST) & (self.costs < LAST_RESORT_COST)
        return float(self.bytes_per_s[is_own].sum())

    def num_ports_at_end(self) -> Indices:
        """For each link, the links that end where it does, those of last resort left out."""
        is_own = self.costs < LAST_RESORT_COST
        counts = np.bincount(self.destinations[is_own], minlength=self.num_vertices)
        return np.maximum(counts, 1).take(self.destinations)

    def with_gateway(self, name: str, bytes_per_s: float, latency_s: float = 0.0) -> Network:
        """The network with a gateway: a port of so many bytes per second each way, plugged in everywhere
        that ``attachments`` names.
        """
        port, gateway = self.num_vertices, self.num_vertices + 1
        near = np.array([port] * len(self.attachments) + [gateway], dtype=np.int64)
        far = np.array([*self.attachments, port], dtype=np.int64)
        added = 2 * len(near)
        return replace(
            self,
            names=(*self.names, f"{name} port", name),
            sources=np.concatenate((self.sources, _alternating(near, far))),
            destinations=np.concatenate((self.destinations, _alternating(far, near))),
            bytes_per_s=np.concatenate((self.bytes_per_s, np.full(added, bytes_per_s))),
            latency_s=np.concatenate((self.latency_s, np.full(added, latency_s / 2))),
            costs=np.concatenate((self.costs, np.full(added, LAST_RESORT_COST, dtype=np.int64))),
            forwards=np.concatenate((self.forwards, [True, False])),
            gateways={**self.gateways, name: gateway},
        )


def _alternating(even: npt.NDArray[np.int64], odd: npt.NDArray[np.int64]) -> Indices:
    """The first, third, ... from one array and the second, fourth, ... from the other."""
    return np.column_stack((even, odd)).ravel()
