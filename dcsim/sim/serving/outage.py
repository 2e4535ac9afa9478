"""Outages of serving replicas: nodes fail under them, spares step in, weights are loaded again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import simpy
from simpy.events import ProcessGenerator

from dcsim.sim.failures.failure import Drain, Failure
from dcsim.sim.failures.process import FailureProcess
from dcsim.sim.failures.spares import NodeRequest, SparePool
from dcsim.sim.holdings import Places
from dcsim.spec.reliability import RecoveryTimes


class ServingFleet(Protocol):
    """A fleet, as outages see it."""

    def take_down(self, replica: int) -> None:
        """The replica fails now."""

    def bring_up(self, replica: int) -> None:
        """It works again."""


@dataclass(frozen=True, slots=True)
class ReplicaGroup:
    """Replicas that fail together, since they share nodes: those of one node, or one that spans several."""

    replicas: tuple[int, ...]
    nodes: tuple[int, ...]


def replica_groups(
    num_replicas: int, num_accelerators: int, num_per_node: int, first_accelerator: int
) -> list[ReplicaGroup]:
    """How replicas of so many accelerators lie on nodes, packed from ``first_accelerator`` on.

    A replica that is smaller than a node lies on the node of its first accelerator.

    >>> replica_groups(3, 4, 8, 0)
    [ReplicaGroup(replicas=(0, 1), nodes=(0,)), ReplicaGroup(replicas=(2,), nodes=(1,))]
    """
    found: dict[tuple[int, ...], list[int]] = {}
    for replica in range(num_replicas):
        start = first_accelerator + replica * num_accelerators
        last = start if num_accelerators < num_per_node else start + num_accelerators - 1
        nodes = tuple(range(start // num_per_node, last // num_per_node + 1))
        found.setdefault(nodes, []).append(replica)
    return [ReplicaGroup(tuple(replicas), nodes) for nodes, replicas in found.items()]


def num_accelerators_by_node(
    group: ReplicaGroup, num_accelerators: int, num_per_node: int, first_accelerator: int
) -> dict[int, float]:
    """Accelerators that a group's replicas have on each of its nodes, packed as in ``replica_groups``.

    What a replica smaller than a node has on the next one is left out.
    """
    held = dict.fromkeys(group.nodes, 0.0)
    for replica in group.replicas:
        start = first_accelerator + replica * num_accelerators
        for node in held:
            first, end = (
                max(start, node * num_per_node),
                min(start + num_accelerators, (node + 1) * num_per_node),
            )
            held[node] += max(0, end - first)
    return held


@dataclass(frozen=True, slots=True)
class Recovery:
    """How a group comes back: the times, and the load of its weights onto its nodes."""

    times: RecoveryTimes
    load_weights: Callable[[Sequence[int]], simpy.Event]


class GroupOutages:
    """The outages of one group. A failure of any of its nodes takes all its replicas down.

    Requests go to other replicas at once. The group comes back after detection and diagnosis, a spare for
    each node that failed, the swap, the start of its processes and the load of its weights; a failure
    meanwhile begins that anew. Slow nodes are not noticed. Drains that are not forced wait for the failure.
    """

    def __init__(
        self,
        environment: simpy.Environment,
        fleet: ServingFleet,
        group: ReplicaGroup,
        places: Places,
        recovery: Recovery,
        failures: FailureProcess,
        pool: SparePool,
    ) -> None:
        self._environment, self._fleet, self._group = environment, fleet, group
        self._recovery, self._failures, self._pool = recovery, failures, pool
        self._nodes, self._places = set(group.nodes), places
        self._request: NodeRequest | None = None
        self._arrival: simpy.Event | None = None
        self._process: simpy.Process | None = None
        self.is_down = False
        failures.nodes.listen(group.nodes, self)

    @property
    def replicas(self) -> tuple[int, ...]:
        """The replicas of the group."""
        return self._group.replicas

    @property
    def nodes(self) -> tuple[int, ...]:
        """The nodes that are its own now, in order: spares in place of those that failed."""
        return tuple(sorted(self._nodes))

    @property
    def recovery(self) -> Recovery:
        """How it comes back."""
        return self._recovery

    @property
    def came_back(self) -> simpy.Event:
        """Succeeds when it is up again. Only for one that is down."""
        assert self._process is not None
        return self._process

    def holds(self, node: int) -> bool:
        """Whether a node is one of its own."""
        return node in self._nodes

    def lend(self, node: int) -> float:
        """One of its nodes works for others: what happens to it meanwhile is not its concern.

        How many accelerators it had there.
        """
        self._failures.nodes.forget((node,), self)
        return self._places.leave(node)

    def take_back(self, nodes: Iterable[int]) -> None:
        """Nodes that were lent are its own again. Those that are broken are replaced like ones that fail."""
        up = self._failures.nodes.up(nodes)
        self._failures.nodes.listen(up, self)
        for node in up:
            self._places.fill(node)
        broken = set(nodes).difference(up)
        if broken:
            self._lose(broken)

    def on_failure(self, failure: Failure) -> None:
        """Nodes of the group are down."""
        self._lose(failure.nodes)

    def on_slow(self, node: int) -> None:
        """Nobody notices."""

    def on_drain(self, drain: Drain) -> None:
        """Nodes that must leave take the group down like failed ones."""
        if drain.is_forced:
            mine = self._nodes.intersection(drain.nodes)
            self._lose(mine)
            self._pool.give_back(sorted(mine), self)

    def on_nodes(self, nodes: tuple[int, ...]) -> None:
        """Spares have come."""
        self._nodes.update(nodes)
        for node in nodes:
            self._places.fill(node)
        self._request = None
        if self._arrival is not None:
            self._arrival.succeed()
            self._arrival = None

    def _lose(self, nodes: Iterable[int]) -> None:
        self._nodes.difference_update(nodes)
        for node in nodes:
            self._places.leave(node)
        if self._process is not None and self._process.is_alive:
            self._process.interrupt()
        else:
            self.is_down = True
            for replica in self._group.replicas:
                self._fleet.take_down(replica)
            self._process = self._environment.process(self._come_back())

    def _come_back(self) -> ProcessGenerator:
        while self.is_down:
            try:
                yield from self._restart()
                self.is_down = False
            except simpy.Interrupt:
                self._arrival = None
                if self._request is not None:
                    self._pool.cancel(self._request)
                    self._request = None
        for replica in self._group.replicas:
            self._fleet.bring_up(replica)

    def _restart(self) -> ProcessGenerator:
        times = self._recovery.times
        yield self._environment.timeout(times.detection_s + times.diagnosis_s)
        num_missing = len(self._group.nodes) - len(self._nodes)
        if num_missing:
            request = self._pool.request(self, num_missing, is_replacement=True)
            if not request.is_met:
                self._request, self._arrival = request, self._environment.event()
                yield self._arrival
            yield self._environment.timeout(times.swap_s)
        yield self._environment.timeout(times.initialization_s)
        yield self._recovery.load_weights(sorted(self._nodes))
        yield self._environment.timeout(times.warmup_s)
