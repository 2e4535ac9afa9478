"""The gang: the nodes that a job holds, those that should leave, and those that it asks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from dcsim.sim.failures.failure import Drain, Failure
from dcsim.sim.failures.process import FailureProcess
from dcsim.sim.failures.spares import NodeRequest, SparePool
from dcsim.sim.holdings import Holder
from dcsim.tables.holdings import HolderKind


class GangOwner(Protocol):
    """The job, as its gang sees it."""

    def on_failure(self, failure: Failure) -> None:
        """Nodes of the gang failed, or the job crashed."""

    def on_change(self) -> None:
        """A node became slow, or nodes have come: the job may want to stop or go on."""

    def on_forced_drain(self, cause: str) -> None:
        """Nodes must leave as soon as the work is saved."""


class JobGang(Protocol):
    """Nodes of one job, whoever gives them."""

    num_nodes: int

    def __len__(self) -> int:
        """Nodes held."""

    @property
    def nodes(self) -> tuple[int, ...]:
        """The nodes held, sorted."""

    @property
    def num_missing(self) -> int:
        """Nodes that it lacks."""

    @property
    def has_replacement(self) -> bool:
        """Whether a node that should leave can do so now without being missed."""

    @property
    def slow_factor(self) -> float:
        """The pace of its slowest node."""

    def gather(self, *, is_replacement: bool) -> None:
        """Ask for all that are missing, together; they may come at once."""

    def take_free(self) -> None:
        """Take what is free of those that are missing."""

    def ask_for_replacements(self) -> None:
        """Ask for those that are missing and in place of those that should leave."""

    def expose(self) -> None:
        """It has started: failures that hit jobs may hit it from now on."""

    def shed(self) -> None:
        """Nodes that must leave, or should and are replaced, do so."""

    def leave(self) -> None:
        """It knows now that it has no nodes."""

    def disband(self) -> None:
        """The job has ended."""


@dataclass(frozen=True, slots=True)
class GangSize:
    """What a job computes on when nothing is missing."""

    job: str
    num_nodes: int
    num_accelerators: int


class Gang:
    """Nodes of one job. Told of failures by the process, and given nodes by the pool."""

    def __init__(self, size: GangSize, failures: FailureProcess, pool: SparePool, owner: GangOwner) -> None:
        self.num_nodes = size.num_nodes
        self._holder = Holder(HolderKind.TRAINING, size.job)
        self._num_accelerators_per_node = size.num_accelerators / size.num_nodes
        self._failures, self._pool, self._owner = failures, pool, owner
        self._nodes: set[int] = set()
        self._in_order: tuple[int, ...] | None = None  # the same, once it has been asked for
        self._leaving: set[int] = set()
        self._forced: set[int] = set()
        self._requests: list[NodeRequest] = []

    def __len__(self) -> int:
        return len(self._nodes)

    @property
    def nodes(self) -> tuple[int, ...]:
        """The nodes held, sorted."""
        if self._in_order is None:
            self._in_order = tuple(sorted(self._nodes))
        return self._in_order

    @property
    def num_missing(self) -> int:
        """Nodes that it lacks."""
        return max(0, self.num_nodes - len(self._nodes))

    @property
    def has_replacement(self) -> bool:
        """Whether a node that should leave can do so now without being missed."""
        return bool(self._leaving) and len(self._nodes) > self.num_nodes

    @property
    def slow_factor(self) -> float:
        """The pace of its slowest node."""
        return self._failures.slow_factor(self._nodes)

    def gather(self, *, is_replacement: bool) -> None:
        """Ask for all that are missing, together; they may come at once."""
        self.withdraw_requests()
        if self.num_missing:
            self._ask(self.num_missing, is_replacement=is_replacement)

    def take_free(self) -> None:
        """Take what is free of those that are missing."""
        self.withdraw_requests()
        self._pool.take(self, self.num_missing)

    def ask_for_replacements(self) -> None:
        """Ask, one by one, for those that are missing and in place of those that should leave."""
        num_asked = sum(request.num_nodes for request in self._requests)
        for _ in range(self.num_nodes - len(self._nodes) + len(self._leaving) - num_asked):
            self._ask(1, is_replacement=True)

    def withdraw_requests(self) -> None:
        """Ask for nothing any more."""
        for request in self._requests:
            self._pool.cancel(request)
        self._requests.clear()

    def expose(self) -> None:
        """It has started: failures that hit jobs may hit it from now on."""
        self._failures.add_job(self)

    def leave(self) -> None:
        """Nothing: it is told of each node by itself."""

    def shed(self) -> None:
        """Nodes that must leave, or should and are replaced, do so; what is too much goes back."""
        for node in sorted(self._leaving):
            if node in self._forced or len(self._nodes) > self.num_nodes:
                self._let_go(node)
        while len(self._nodes) > self.num_nodes:
            self._let_go(max(self._nodes))

    def disband(self) -> None:
        """The job has ended."""
        self._failures.remove_job(self)
        self.withdraw_requests()
        for node in self.nodes:
            self._let_go(node)

    def on_nodes(self, nodes: tuple[int, ...]) -> None:
        """Nodes have come."""
        self._nodes.update(nodes)
        self._in_order = None
        for node in nodes:
            self._failures.holdings.begin(self._holder, node, self._num_accelerators_per_node)
        self._requests = [request for request in self._requests if not request.is_met]
        self._owner.on_change()

    def on_failure(self, failure: Failure) -> None:
        """Some of its nodes failed, or the job crashed."""
        lost = self._nodes.intersection(failure.nodes)
        for held in (self._nodes, self._leaving, self._forced):
            held -= lost
        self._in_order = None
        for node in lost:
            self._failures.holdings.end(self._holder, node)
        if lost or not failure.nodes:
            self._owner.on_failure(failure)

    def on_slow(self, node: int) -> None:
        """A node has become slow, and so has the gang."""
        self._owner.on_change()

    def on_drain(self, drain: Drain) -> None:
        """Nodes should leave: at once if they must, else when others can take their places."""
        mine = self._nodes.intersection(drain.nodes)
        self._leaving |= mine
        if drain.is_forced:
            self._forced |= mine
            self._owner.on_forced_drain(str(drain.effect))
        else:
            self.ask_for_replacements()

    def _ask(self, count: int, *, is_replacement: bool) -> None:
        request = self._pool.request(self, count, is_replacement=is_replacement)
        if not request.is_met:
            self._requests.append(request)

    def _let_go(self, node: int) -> None:
        for held in (self._nodes, self._leaving, self._forced):
            held.discard(node)
        self._in_order = None
        self._failures.holdings.end(self._holder, node)
        self._pool.give_back((node,), self)
