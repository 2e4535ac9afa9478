"""The lender: nodes go from serving to jobs when all replicas on them are off, and come back whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import simpy

from dcsim.sim.jobs.job_nodes import JobNodes
from dcsim.sim.lending.log import LendingLog, Loan
from dcsim.sim.serving.outage import GroupOutages, Recovery


@dataclass(eq=False, slots=True)
class PausableGroup:
    """Replicas that share nodes, and which of them are off."""

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
        self._lent: dict[int, Loan] = {}

    def offer(self, group: PausableGroup) -> None:
        """Lend those nodes of a group that no replica needs."""
        for node in group.outages.nodes:
            holders = [one for one in self._groups if one.outages.holds(node)]
            if node not in self._lent and all(one.is_free for one in holders):
                for one in holders:
                    one.outages.lend(node)
                self._job_nodes.borrow(node)
                self._lent[node] = self._log.lend(node, self._environment.now)

    def take_back(self, group: PausableGroup) -> None:
        """Stop the jobs on those nodes of a group that are lent; the nodes are its own again, at once."""
        nodes = [node for node in group.outages.nodes if node in self._lent]
        for node in nodes:
            loan = self._lent.pop(node)
            loan.num_preempted = self._job_nodes.return_borrowed(node)
            loan.ended_at_s = self._environment.now
        for one in self._groups:
            one.outages.take_back([node for node in nodes if one.outages.holds(node)])
