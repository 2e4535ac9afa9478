"""The way of KV caches between replicas: links inside a node; between nodes the fabric, or their ports."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import simpy

from dcsim.catalog.link import Link
from dcsim.catalog.loader import load_entry
from dcsim.catalog.node import Node
from dcsim.formulas.kv_transfer import strand_frac, strands
from dcsim.networks.flow import Flow
from dcsim.networks.routes import Routes
from dcsim.policies.routings.ecmp import Ecmp
from dcsim.sim.fabric.fabric import Fabric


@dataclass(frozen=True, slots=True)
class Seat:
    """The accelerators of a replica, numbered through the cluster; those of a small one are on one node."""

    first: int
    count: int
    num_per_node: int

    def node(self, accelerator: int) -> int:
        """The node of one of its accelerators, counted from its first."""
        start = self.first if self.count < self.num_per_node else self.first + accelerator
        return start // self.num_per_node


@dataclass(frozen=True, slots=True)
class _Lane:
    """What of a KV cache goes from one node to another: which part, over how many accelerators' links."""

    source: int
    destination: int
    part_frac: float
    num_links: float


class KvCarrier:
    """Carries KV caches. Inside a node nothing contends; between nodes, what the fabric has others for."""

    def __init__(self, environment: simpy.Environment, node: Node, fabric: Fabric | None) -> None:
        self._environment, self._fabric = environment, fabric
        inside, between = _link(node.scale_up), _link(node.scale_out)
        self._inside_bytes_per_s = inside.bytes_per_s * inside.achievable_frac
        self._inside_s, self._between_s = inside.hop_s, between.hop_s
        rate = between.bytes_per_s * between.achievable_frac
        self._between_bytes_per_s = rate * node.num_nics / node.num_accelerators
        self._num_per_node = node.num_accelerators
        self._sent: dict[tuple[int, int], float] = {}
        self._lanes: dict[tuple[Seat, Seat], list[_Lane]] = {}

    def send(
        self,
        source: Seat,
        destination: Seat,
        num_bytes: float,
        *,
        label: str,
        at_s: float,
        on_arrival: Callable[[float], None],
    ) -> None:
        """Send a KV cache from one replica to another from ``at_s`` on, which is now."""
        lanes = self._lanes_between(source, destination)
        outside = [] if self._fabric is None else [one for one in lanes if one.source != one.destination]
        alone_s = max((self._alone_s(one, num_bytes) for one in lanes if one not in outside), default=0.0)
        ended_at_s = at_s + alone_s
        if not outside:
            self._after(ended_at_s).callbacks.append(lambda _: on_arrival(ended_at_s))
            return
        assert self._fabric is not None
        flows = [self._flow(one, num_bytes) for one in outside]
        events = [self._fabric.transfer(flows, label)]
        if len(outside) < len(lanes):
            events.append(self._after(ended_at_s))
        done = simpy.AllOf(self._environment, events)
        done.callbacks.append(lambda _: on_arrival(max(self._environment.now, ended_at_s)))

    def alone_s(self, source: Seat, destination: Seat, num_bytes: float) -> float:
        """How long a transfer takes without a fabric: that of its slowest part."""
        return max(self._alone_s(one, num_bytes) for one in self._lanes_between(source, destination))

    def _alone_s(self, lane: _Lane, num_bytes: float) -> float:
        is_inside = lane.source == lane.destination
        rate = self._inside_bytes_per_s if is_inside else self._between_bytes_per_s
        latency_s = self._inside_s if is_inside else self._between_s
        return latency_s + num_bytes * lane.part_frac / (rate * lane.num_links)

    def _flow(self, lane: _Lane, num_bytes: float) -> Flow:
        """At most what the ports of the accelerators that take part can send."""
        most = self._sent_bytes_per_s(lane.source, lane.destination) / self._num_per_node * lane.num_links
        return Flow(lane.source, lane.destination, num_bytes * lane.part_frac, most)

    def _sent_bytes_per_s(self, source: int, destination: int) -> float:
        """What a node sends to another at most: over its ports, or the scale-up link of their domain."""
        known = self._sent.get((source, destination))
        if known is None:
            assert self._fabric is not None
            network = self._fabric.network
            links = Routes(network, Ecmp()).of([Flow(source, destination, 1.0)])[0].links
            own = links[network.sources[links] == network.vertex(source)]
            known = self._sent[source, destination] = float(network.bytes_per_s[own].sum())
        return known

    def _lanes_between(self, source: Seat, destination: Seat) -> list[_Lane]:
        known = self._lanes.get((source, destination))
        if known is None:
            ends = strands(source.count, destination.count)
            pairs = Counter((source.node(one), destination.node(other)) for one, other in ends)
            share = strand_frac(source.count, destination.count)
            known = [_Lane(*pair, num / len(ends), num * share) for pair, num in pairs.items()]
            self._lanes[source, destination] = known
        return known

    def _after(self, instant_s: float) -> simpy.Event:
        return self._environment.timeout(max(instant_s - self._environment.now, 0.0))


def _link(name: str) -> Link:
    entry = load_entry("links", name)
    assert isinstance(entry, Link)
    return entry
