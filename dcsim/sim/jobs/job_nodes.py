"""The nodes of job schedulers as failures see them: taken out of the pool, and put back when repaired."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from dcsim.sim.failures.failure import Drain, Failure
from dcsim.sim.failures.process import FailureProcess
from dcsim.sim.jobs.pool import NodePool


class Lender(Protocol):
    """Whose nodes jobs have for a while."""

    def on_out(self, node: int) -> None:
        """A node of the jobs is out of service from now on."""

    def on_back(self, node: int) -> None:
        """It is back, and jobs can have it again."""


class JobNodes:
    """Holds the pool's nodes for the process of failures. ``on_slow`` is told of those that became slow."""

    def __init__(
        self,
        process: FailureProcess,
        pool: NodePool,
        nodes: Iterable[int],
        on_slow: Callable[[int], None] = lambda node: None,
    ) -> None:
        self._process, self._pool, self._tell_slow = process, pool, on_slow
        self.nodes = set(nodes)
        self.lender: Lender | None = None
        process.nodes.listen(sorted(self.nodes), self)

    def borrow(self, node: int) -> bool:
        """A node for jobs; whether they may use it now. One that was asked to leave is repaired before."""
        self.nodes.add(node)
        if self._process.must_leave(node):
            self._process.retire(node)
            return False
        self._process.nodes.listen((node,), self)
        self._pool.open(node)
        return True

    def return_borrowed(self, node: int) -> int:
        """Jobs on the node are stopped in good order; how many. One that is broken stays closed as it is."""
        self.nodes.discard(node)
        if not self._process.nodes.is_up(node):
            return 0
        self._process.nodes.forget((node,), self)
        self._pool.close(node)
        return self._pool.evict(node, is_orderly=True, cause="serving")

    def on_failure(self, failure: Failure) -> None:
        """Jobs on the nodes lose what they had not saved."""
        for node in failure.nodes:
            if node in self.nodes:
                self._pool.fail(node, failure.cause)
                self._tell_out(node)

    def on_slow(self, node: int) -> None:
        """Jobs that are modelled are slower; recorded durations say nothing of the pace of a node."""
        self._tell_slow(node)

    def on_drain(self, drain: Drain) -> None:
        """Jobs on the nodes are stopped in good order, and the nodes leave."""
        for node in drain.nodes:
            if node in self.nodes:
                self._pool.close(node)
                self._pool.evict(node, is_orderly=True, cause=str(drain.effect))
                self._process.retire(node)
                self._tell_out(node)

    def on_return(self, node: int) -> None:
        """A node is back in service."""
        self._process.nodes.listen((node,), self)
        self._pool.repair(node)
        if self.lender is not None:
            self.lender.on_back(node)

    def _tell_out(self, node: int) -> None:
        if self.lender is not None:
            self.lender.on_out(node)
