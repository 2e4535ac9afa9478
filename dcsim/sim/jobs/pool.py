"""The pool of nodes: who holds which accelerators, and what happens when nodes come and go."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from dcsim.errors import SimulationError
from dcsim.policies.fragments import Fragments, typical_jobs
from dcsim.policies.nodes import Nodes, NodeShape
from dcsim.policies.placement import Placement
from dcsim.policies.request import Part, Request


class Tenant(Protocol):
    """Somebody who holds accelerators and must let go of a node when told."""

    def evict(self, node: int, *, is_orderly: bool, cause: str = "") -> int:
        """Give back all that is held on the node, now, and return how many jobs that stops.

        There was time to save the work if it is orderly.
        """


@dataclass(slots=True, eq=False)
class Allocation:
    """Accelerators that somebody holds."""

    parts: tuple[Part, ...]
    on_lost: Callable[[int], None] | None = None  # called with the node that was taken away

    @property
    def nodes(self) -> tuple[int, ...]:
        """The nodes, in the order of the parts."""
        return tuple(part.node for part in self.parts)


class NodePool:
    """Accelerators of many nodes, given out whole or in thousandths, in one piece (a gang) or not at all.

    A node is closed as long as anybody keeps it closed: failures, maintenance, spot markets and serving do
    not know of each other. Nothing new is placed on a closed node.
    """

    def __init__(
        self,
        shapes: Sequence[NodeShape],
        placement: Placement,
        rng: np.random.Generator,
        workload: Iterable[Request] = (),
    ) -> None:
        self.nodes = Nodes(shapes)
        self.placement = placement
        self.rng = rng
        typical = typical_jobs(workload, self.nodes.width)
        if typical.chunks:
            self.nodes.fragments = Fragments(self.nodes, typical)
        self.num_away = 0  # accelerators of closed nodes, used or not
        self._num_closed = [0] * len(shapes)
        self._allocations: set[Allocation] = set()
        self._tenants: list[Tenant] = []
        self._listeners: list[Callable[[], None]] = []

    @property
    def num_free(self) -> float:
        """Free accelerators of open nodes."""
        return self.nodes.num_free

    def is_open(self, node: int) -> bool:
        """Whether the node takes work."""
        return not self._num_closed[node]

    def add_tenant(self, tenant: Tenant) -> None:
        """Let somebody who keeps books of their own take from ``nodes`` directly."""
        self._tenants.append(tenant)

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call the listener whenever room may have grown."""
        self._listeners.append(listener)

    def allocate(self, request: Request, on_lost: Callable[[int], None] | None = None) -> Allocation | None:
        """All that is asked for, or None if there is no room."""
        parts = self.placement.place(self.nodes, request, self.rng)
        if parts is None:
            return None
        self.nodes.take(parts)
        allocation = Allocation(parts, on_lost)
        self._allocations.add(allocation)
        return allocation

    def release(self, allocation: Allocation) -> None:
        """Give it back. Raises SimulationError if it is not held."""
        if allocation not in self._allocations:
            raise SimulationError("accelerators were given back that are not held")
        self._allocations.remove(allocation)
        self.nodes.give(allocation.parts)
        self._tell()

    def close(self, node: int) -> None:
        """Place nothing new on the node; what runs there goes on."""
        if not self._num_closed[node]:
            self.num_away += self.nodes.shapes[node].num_accelerators
            self.nodes.set_up(node, False)
        self._num_closed[node] += 1

    def open(self, node: int) -> None:
        """Take back one ``close``; the node takes work again if nobody else keeps it closed."""
        if not self._num_closed[node]:
            raise SimulationError(f"node {node} was opened and is not closed")
        self._num_closed[node] -= 1
        if not self._num_closed[node]:
            self.num_away -= self.nodes.shapes[node].num_accelerators
            self.nodes.set_up(node, True)
            self._tell()

    def evict(self, node: int, *, is_orderly: bool, cause: str = "") -> int:
        """Take the node away from all who hold parts of it, and return how many jobs that stops.

        Their accelerators elsewhere come free too.
        """
        lost = [held for held in self._allocations if node in held.nodes]
        for allocation in lost:
            self._allocations.remove(allocation)
            self.nodes.give(allocation.parts)
            if allocation.on_lost:
                allocation.on_lost(node)
        num_stopped = len(lost) + sum(
            one.evict(node, is_orderly=is_orderly, cause=cause) for one in self._tenants
        )
        self._tell()
        return num_stopped

    def fail(self, node: int, cause: str = "") -> None:
        """The node breaks down: what ran on it loses what it had not saved."""
        self.close(node)
        self.evict(node, is_orderly=False, cause=cause)

    def repair(self, node: int) -> None:
        """The node is back."""
        self.open(node)

    def _tell(self) -> None:
        for listener in self._listeners:
            listener()
