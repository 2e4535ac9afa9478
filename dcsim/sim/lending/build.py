"""From the lending of served models to switches on the clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import simpy

from dcsim.sim.jobs.job_nodes import JobNodes
from dcsim.sim.lending.lender import NodeLender, PausableGroup
from dcsim.sim.lending.log import LendingLog
from dcsim.sim.lending.schedule import LendingSchedule
from dcsim.sim.lending.switches import PausableFleet, ReplicaSwitches
from dcsim.sim.serving.outage import GroupOutages, Recovery
from dcsim.spec.deployment import ServingDeployment
from dcsim.spec.lending import Lending


@dataclass(frozen=True, slots=True)
class LendingFleet:
    """A fleet that may lend its nodes, with its replicas by the nodes that they share."""

    deployment: ServingDeployment
    fleet: PausableFleet
    outages: Sequence[GroupOutages]
    lending: Lending | None


def build_lending(
    environment: simpy.Environment, fleets: Sequence[LendingFleet], job_nodes: JobNodes
) -> LendingLog:
    """Let fleets lend their nodes, and return what they write. Those that do not lend hold nodes, too."""
    log = LendingLog()
    groups = [
        [
            PausableGroup(fleet.deployment.name, one, _recovery(one.recovery, fleet.lending))
            for one in fleet.outages
        ]
        for fleet in fleets
    ]
    lender = NodeLender(environment, job_nodes, [one for some in groups for one in some], log)
    for one, mine in zip(fleets, groups, strict=True):
        if one.lending is not None:
            name = one.deployment.name
            switches = ReplicaSwitches(environment, name, one.fleet, mine, lender, log)
            LendingSchedule(environment, one.lending, one.deployment, one.fleet, switches)
    return log


def _recovery(after_failures: Recovery, lending: Lending | None) -> Recovery:
    """How replicas start that were switched off: as after a failure, but for the start asked for."""
    if lending is None or lending.startup_s is None:
        return after_failures
    return replace(after_failures, times=replace(after_failures.times, initialization_s=lending.startup_s))
