"""The lender: nodes go from serving to jobs when all replicas on them are off, and come back whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import simpy

from dcsim.sim.jobs.job_nodes import JobNodes
from dcsim.sim.lending.log import LendingLog, Loan
from dcsim.sim.serving.outage import GroupOutages, Recovery
from dcsim.tables.lending import LoanEnd


@dataclass(eq=False, slots=True)
class PausableGroup:
    """Replicas that share nodes, and which of them are off."""

    workload: str
    outages: GroupOutages
    recovery: Recovery  # how they start when they are wanted back
    off: set[int] = field(default_factory=set)

    @property
    def is_free(self) -> bool:
        """Whether none of its replicas needs its nodes."""
        return not self.outages.is_down and len(self.off) == len(self.outages.replicas)


class NodeLender:
    """Knows which nodes are lent. Replicas of several fleets may share a node: it is lent if all are off."""

    def __init__(
        self,
        environment: simpy.Environment,
        job_nodes: JobNodes,
        groups: Sequence[PausableGroup],
        log: LendingLog,
    ) -> None:
        self._environment, self._job_nodes = environment, job_nodes
        self._groups, self._log = groups, log
        self._lent: dict[int, Mapping[str, float]] = {}  # accelerators by served model
        self._loans: dict[int, list[Loan]] = {}  # of those nodes that are in service
        job_nodes.lender = self

    def offer(self, group: PausableGroup) -> None:
        """Lend those nodes of a group that no replica needs."""
        for node in group.outages.nodes:
            holders = [one for one in self._groups if one.outages.holds(node)]
            if node not in self._lent and all(one.is_free for one in holders):
                parts = dict.fromkeys((one.workload for one in holders), 0.0)
                for one in holders:
                    parts[one.workload] += one.outages.lend(node)
                self._lent[node] = parts
                if self._job_nodes.borrow(node):
                    self._begin(node)

    def take_back(self, group: PausableGroup) -> None:
        """Stop the jobs on those nodes of a group that are lent; the nodes are its own again, at once."""
        nodes = [node for node in group.outages.nodes if node in self._lent]
        for node in nodes:
            del self._lent[node]
            self._end(node, LoanEnd.TAKEN_BACK, self._job_nodes.return_borrowed(node))
        for one in self._groups:
            one.outages.take_back([node for node in nodes if one.outages.holds(node)])

    def on_out(self, node: int) -> None:
        """A node that jobs had is out of service: nobody has it until it is back."""
        self._end(node, LoanEnd.OUT_OF_SERVICE)

    def on_back(self, node: int) -> None:
        """A node is back in service; if it is still lent, jobs can have it again."""
        if node in self._lent and node not in self._loans:
            self._begin(node)

    def _begin(self, node: int) -> None:
        self._loans[node] = self._log.lend(node, self._lent[node], self._environment.now)

    def _end(self, node: int, why: LoanEnd, num_preempted: int = 0) -> None:
        """Nothing happens to a node that was out of service already."""
        for loan in self._loans.pop(node, ()):
            loan.ended_at_s, loan.ended_by = self._environment.now, why
            loan.num_preempted = num_preempted
