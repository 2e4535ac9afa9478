"""A small pool of nodes that a fleet and a job scheduler share; every node has two accelerators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import simpy

from dcsim.policies.routers.least_outstanding import LeastOutstanding
from dcsim.sim.failures.process import FailureProcess
from dcsim.sim.failures.spares import SparePool
from dcsim.sim.holdings import Holder, Places
from dcsim.sim.jobs.job_cluster import JobCluster, Restarts
from dcsim.sim.jobs.job_nodes import JobNodes
from dcsim.sim.jobs.job_run import JobRun
from dcsim.sim.lending.build import LendingFleet, build_lending
from dcsim.sim.requests import RequestStream
from dcsim.sim.serving.fleet import Fleet
from dcsim.sim.serving.outage import GroupOutages, Recovery, ReplicaGroup, replica_groups
from dcsim.sim.streams import Streams
from dcsim.spec.lending import Lending
from dcsim.spec.reliability import ClusterShape, Reliability
from dcsim.tables import ServingTables, Table
from dcsim.tables.holdings import HolderKind
from tests.sim.drive import EngineTimer
from tests.sim.fleets import deployment
from tests.sim.jobs.small import pool_of, run_of, scheduler_named
from tests.sim.twin import TwinOptions
from tests.truth.timers import ConstantTimer

STEP_S = 0.5
PER_NODE = 2
START_S, LOAD_S = 3.0, 7.0  # of a replica that comes back
OPTIONS = TwinOptions(
    scheduler="chunked_prefill", max_num_seqs=8, max_num_batched_tokens=512, num_blocks=1000, block_size=16
)


@dataclass(slots=True, eq=False)
class WatchedRun(JobRun):
    """A job that remembers where it ran and when."""

    held: list[tuple[int, float, float]] = field(default_factory=list)

    def end(self, now_s: float, num_held: float) -> None:
        self.held += [(part.node, self.held_since_s, now_s) for part in self.job.parts]
        JobRun.end(self, now_s, num_held)


@dataclass(frozen=True)
class Played:
    """What a run of the pool wrote."""

    serving: ServingTables
    lending: Table
    pauses: Table
    jobs: Sequence[WatchedRun]
    fleet: Fleet


def job(number: int, submitted_at_s: float, duration_s: float, num_accelerators: float = 1) -> WatchedRun:
    plain = run_of(number, submitted_at_s, duration_s, num_accelerators)
    return WatchedRun(plain.job, plain.duration_s, plain.left_s)


def play(
    lending: Mapping[str, object],
    arrived_at_s: Sequence[float],
    jobs: Sequence[WatchedRun],
    *,
    num_replicas: int = 4,
    num_outputs: int = 10,
    num_spares: int = 0,
    num_job_nodes: int = 0,
    failed_at_s: Mapping[int, float] | None = None,
    folder: Path | None = None,
    until_s: float = 5_000.0,
) -> Played:
    """Replicas of one accelerator on the first nodes, then spares, then nodes of jobs."""
    environment, streams = simpy.Environment(), Streams(1, 0)
    num_serving = -(-num_replicas // PER_NODE)
    num_nodes = num_serving + num_spares + num_job_nodes
    fleet = _fleet(environment, streams, num_replicas, arrived_at_s, num_outputs)
    section = _reliability(failed_at_s or {}, folder)
    failures = FailureProcess(environment, section, ClusterShape(num_nodes, PER_NODE, 0, {}), streams)
    spares = SparePool(failures, range(num_serving, num_serving + num_spares))
    recovery = Recovery(section.recovery, lambda nodes: environment.timeout(LOAD_S))
    outages = [
        GroupOutages(environment, fleet, group, _places(failures, group), recovery, failures, spares)
        for group in replica_groups(num_replicas, 1, PER_NODE, 0)
    ]
    pool = pool_of([PER_NODE] * num_nodes)
    for node in range(num_serving + num_spares):
        pool.close(node)
    job_nodes = JobNodes(failures, pool, range(num_serving + num_spares, num_nodes))
    failures.on_return = lambda node: (
        job_nodes.on_return(node) if node in job_nodes.nodes else spares.put_back(node)
    )
    cluster = JobCluster(environment, pool, scheduler_named("fifo"), jobs, Restarts(), bin_s=100.0)
    cluster.start()
    lender = LendingFleet(fleet.deployment, fleet, outages, Lending.model_validate(lending))
    log = build_lending(environment, [lender], job_nodes)
    fleet.start()
    failures.start()
    environment.run(until=until_s)
    fleet.advance(until_s)
    tables = log.tables()
    return Played(fleet.finish(), tables["lending"], tables["replica_pauses"], jobs, fleet)


def _places(failures: FailureProcess, group: ReplicaGroup) -> Places:
    held = dict.fromkeys(group.nodes, float(len(group.replicas)))
    return Places(failures.holdings, Holder(HolderKind.SERVING, "chat"), held)


def _fleet(
    environment: simpy.Environment,
    streams: Streams,
    num_replicas: int,
    arrived_at_s: Sequence[float],
    num_outputs: int,
) -> Fleet:
    count = len(arrived_at_s)
    stream = RequestStream(
        np.array(arrived_at_s, dtype=np.float64),
        np.full(count, 16),
        np.full(count, num_outputs),
        np.full(count, -1),
        num_prefix_tokens=0,
    )
    return Fleet(
        environment,
        deployment(OPTIONS, LeastOutstanding(), num_replicas, 1),
        stream,
        streams,
        EngineTimer(ConstantTimer(STEP_S)),
        duration_s=None,
        drain_s=100_000.0,
        is_stepwise=False,
        may_pause=True,
    )


def _reliability(failed_at_s: Mapping[int, float], folder: Path | None) -> Reliability:
    """Nodes that fail once as told, and are away for 200 s on average."""
    times = {"detection": "1 s", "diagnosis": "0 s", "swap": "0 s", "initialization": f"{START_S} s"}
    if not failed_at_s:
        return Reliability.model_validate(times)
    assert folder is not None
    path = folder / "failures.csv"
    rows = sorted((at_s, node) for node, at_s in failed_at_s.items())
    path.write_text("at_s,node\n" + "".join(f"{at_s},{node}\n" for at_s, node in rows), encoding="utf-8")
    cause = {"component": "node", "times": {"policy": "trace", "path": str(path)}}
    preset = {"base": "none", "causes": {"one": cause}}
    return Reliability.model_validate({"preset": preset, "node_mttr": "200 s", **times})
