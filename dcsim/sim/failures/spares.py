"""The pool of free nodes: who wants nodes gets them in order, and repaired nodes come back to it."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

from dcsim.sim.failures.failure import Drain, Failure, NodeListener
from dcsim.sim.failures.process import FailureProcess
from dcsim.sim.holdings import SPARE


class NodeHolder(NodeListener, Protocol):
    """Who may be given nodes."""

    def on_nodes(self, nodes: tuple[int, ...]) -> None:
        """These nodes are its own from now on."""


@dataclass(eq=False, slots=True)
class NodeRequest:
    """A wish for so many nodes, met whole or not yet."""

    holder: NodeHolder
    num_nodes: int
    is_replacement: bool
    is_met: bool = field(default=False)


class SparePool:
    """Free nodes of a cluster, lowest number first. A listener of its own nodes: failed ones leave it.

    ``num_reserved`` nodes stay free for replacements. Requests are met in order, replacements first; one
    that cannot be met holds up those behind it, so that a large one is not starved.
    """

    def __init__(self, process: FailureProcess, nodes: Iterable[int], *, num_reserved: int = 0) -> None:
        self._process, self._num_reserved = process, num_reserved
        self._free = sorted(nodes)
        self._replacements: deque[NodeRequest] = deque()
        self._others: deque[NodeRequest] = deque()
        process.nodes.listen(self._free, self)
        self._note_free(self._free)
        process.on_return = self.put_back

    @property
    def num_free(self) -> int:
        """Nodes that nobody holds."""
        return len(self._free)

    def request(self, holder: NodeHolder, num_nodes: int, *, is_replacement: bool) -> NodeRequest:
        """Ask for nodes: they come through ``holder.on_nodes``, at once or later."""
        wanted = NodeRequest(holder, num_nodes, is_replacement)
        (self._replacements if is_replacement else self._others).append(wanted)
        self._serve()
        return wanted

    def cancel(self, request: NodeRequest) -> None:
        """Withdraw a request that has not been met."""
        for queue in (self._replacements, self._others):
            if request in queue:
                queue.remove(request)
                self._serve()

    def take(self, holder: NodeHolder, most: int) -> None:
        """Give as many nodes as are free now, up to so many, unless others wait for replacements."""
        count = 0 if self._replacements else min(most, len(self._free))
        if count:
            self._hand_over(holder, count)

    def give_back(self, nodes: Iterable[int], holder: NodeHolder) -> None:
        """Nodes that a holder no longer needs; those asked to leave do so now."""
        for node in nodes:
            self._process.nodes.forget((node,), holder)
            if self._process.must_leave(node):
                self._process.retire(node)
            else:
                self.put_back(node)

    def put_back(self, node: int) -> None:
        """A node that nobody holds is free."""
        heapq.heappush(self._free, node)
        self._process.nodes.listen((node,), self)
        self._note_free((node,))
        self._serve()

    def on_failure(self, failure: Failure) -> None:
        """Free nodes that failed are none any more."""
        self._remove(failure.nodes)

    def on_slow(self, node: int) -> None:
        """A free node computes nothing."""

    def on_drain(self, drain: Drain) -> None:
        """Free nodes leave at once."""
        for node in self._remove(drain.nodes):
            self._process.retire(node)

    def _remove(self, nodes: Iterable[int]) -> list[int]:
        gone = set(nodes) & set(self._free)
        self._free = [node for node in self._free if node not in gone]  # sorted before, sorted after
        heapq.heapify(self._free)
        self._note_taken(gone)
        return sorted(gone)

    def _serve(self) -> None:
        for queue, num_kept in ((self._replacements, 0), (self._others, self._num_reserved)):
            while queue and len(self._free) - num_kept >= queue[0].num_nodes:
                request = queue.popleft()
                request.is_met = True
                self._hand_over(request.holder, request.num_nodes)
            if queue and num_kept == 0:
                return

    def _hand_over(self, holder: NodeHolder, count: int) -> None:
        nodes = tuple(heapq.heappop(self._free) for _ in range(count))
        for node in nodes:
            self._process.nodes.forget((node,), self)
        self._note_taken(nodes)
        self._process.nodes.listen(nodes, holder)
        holder.on_nodes(nodes)

    def _note_free(self, nodes: Iterable[int]) -> None:
        for node in nodes:
            self._process.holdings.begin(SPARE, node, self._process.num_accelerators_per_node)

    def _note_taken(self, nodes: Iterable[int]) -> None:
        for node in nodes:
            self._process.holdings.end(SPARE, node)
