"""Small pools and jobs for tests."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import simpy

from dcsim.plugins import policy_class
from dcsim.policies.job import Job
from dcsim.policies.job_scheduler import JobScheduler
from dcsim.policies.nodes import NodeShape
from dcsim.policies.placement import Placement
from dcsim.policies.placements.pack import Pack
from dcsim.policies.request import Request
from dcsim.sim.jobs.job_cluster import JobCluster, Restarts
from dcsim.sim.jobs.job_run import JobRun
from dcsim.sim.jobs.pool import NodePool

SCHEDULERS = "dcsim.policies.job_schedulers"


def scheduler_named(name: str, **options: object) -> JobScheduler:
    found = policy_class(SCHEDULERS, name).model_validate(options)
    assert isinstance(found, JobScheduler)
    return found


def pool_of(sizes: Sequence[int], placement: Placement | None = None) -> NodePool:
    shapes = [NodeShape(size) for size in sizes]
    return NodePool(shapes, placement or Pack(), np.random.default_rng(1), [Request(1), Request(2)])


def run_of(
    number: int,
    submitted_at_s: float,
    duration_s: float,
    num_accelerators: float = 1,
    *,
    estimated_s: float | None = None,
    queue: str = "",
    priority: float = 0.0,
) -> JobRun:
    estimate_s = duration_s if estimated_s is None else estimated_s
    request = Request(num_accelerators)
    job = Job(number, submitted_at_s, request, estimate_s, queue=queue, user=queue, priority=priority)
    return JobRun(job, duration_s, left_s=duration_s)


def played(
    scheduler: JobScheduler,
    runs: Sequence[JobRun],
    sizes: Sequence[int],
    restarts: Restarts = Restarts(),  # noqa: B008 (frozen)
    until_s: float | None = None,
) -> JobCluster:
    """Run the jobs to their end, or until an instant."""
    environment = simpy.Environment()
    cluster = JobCluster(environment, pool_of(sizes), scheduler, runs, restarts, bin_s=10.0)
    cluster.start()
    environment.run(until=cluster.done if until_s is None else until_s)
    return cluster


def starts_s(cluster: JobCluster) -> list[float]:
    return [run.first_started_at_s for run in cluster.runs]


def ends_s(cluster: JobCluster) -> list[float]:
    return [run.finished_at_s for run in cluster.runs]
