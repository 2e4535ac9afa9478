"""From the jobs section to jobs on the clock, and to their tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import simpy

from dcsim.errors import Problem, ScenarioError
from dcsim.policies.job import Job
from dcsim.policies.nodes import PLENTY, NodeShape
from dcsim.policies.request import MILLICORES_PER_CORE, Request
from dcsim.sim.holdings import HoldingLog
from dcsim.sim.jobs.capacity import start_maintenance, start_spot
from dcsim.sim.jobs.job_cluster import JobCluster, Restarts
from dcsim.sim.jobs.job_log import job_table
from dcsim.sim.jobs.job_run import JobRun
from dcsim.sim.jobs.pool import NodePool
from dcsim.sim.streams import Streams
from dcsim.spec.cluster import Cluster
from dcsim.spec.job_prospects import JobDemand
from dcsim.spec.jobs import Jobs, JobTraceSpec
from dcsim.tables.table import Table
from dcsim.workloads.data_file import located
from dcsim.workloads.job_trace import JobTrace, recognized_job_format
from dcsim.workloads.node_list import read_node_list

_NUM_SLICES = 200  # how often a run reports its progress


class JobTables(NamedTuple):
    """What one replication wrote about jobs."""

    jobs: Table
    pool: Table
    ended_at_s: float


@dataclass(frozen=True, slots=True)
class JobSimulation:
    """Jobs built into an environment: start them, run the clock, read the tables."""

    cluster: JobCluster
    pool: NodePool

    @property
    def last_submission_s(self) -> float:
        """When the last job is submitted."""
        return max((run.job.submitted_at_s for run in self.cluster.runs), default=0.0)

    @property
    def serial_s(self) -> float:
        """How long the jobs would take one after the other."""
        return sum(run.duration_s for run in self.cluster.runs)

    @property
    def demands(self) -> tuple[JobDemand, ...]:
        """What the jobs with given run times ask for, as their prospects are told from."""
        return tuple(
            JobDemand(run.duration_s, run.job.request.num_accelerators)
            for run in self.cluster.runs
            if run.work is None
        )

    def tables(self, ended_at_s: float) -> JobTables:
        """The tables as things stand then."""
        return JobTables(
            job_table(self.cluster.runs, ended_at_s), self.cluster.log.table(ended_at_s), ended_at_s
        )


def build_jobs(
    environment: simpy.Environment,
    jobs: Jobs,
    cluster: Cluster,
    folder: Path,
    duration_s: float | None,
    streams: Streams,
    holdings: HoldingLog | None = None,
    modelled: Sequence[JobRun] = (),
) -> JobSimulation:
    """Put the jobs of a scenario into the environment; they begin when it runs.

    Jobs whose work is modelled stand in one line with the others. Raises ScenarioError for files that cannot
    be read and for arrivals without an end.
    """
    trace = job_trace(jobs, folder, duration_s, streams)
    runs = _in_one_line(job_runs(trace, jobs.estimate_scale), modelled)
    workload = [run.job.request for run in runs]
    pool = NodePool(node_shapes(jobs, cluster, folder), jobs.placement, streams["jobs.placement"], workload)
    costs = jobs.preemption
    restarts = Restarts(costs.restart_s, costs.checkpoint_interval_s, costs.saves, costs.max_restarts)
    simulation = JobCluster(environment, pool, jobs.scheduler, runs, restarts, jobs.bin_s, holdings)
    for window in jobs.maintenance:
        start_maintenance(environment, pool, window)
    if jobs.spot:
        start_spot(environment, pool, jobs.spot, streams["jobs.spot"])
    simulation.start()
    return JobSimulation(simulation, pool)


def simulate_jobs(
    jobs: Jobs,
    cluster: Cluster,
    *,
    folder: Path = Path(),
    duration_s: float | None = None,
    streams: Streams,
    on_progress: Callable[[float], None] | None = None,
) -> JobTables:
    """Jobs alone on the cluster, until the duration is over, or the last job has ended if it has none."""
    environment = simpy.Environment()
    simulation = build_jobs(environment, jobs, cluster, folder, duration_s, streams)
    done = simulation.cluster.done
    if duration_s is None:
        environment.run(until=done)
        return simulation.tables(environment.now)
    for i in range(1, _NUM_SLICES + 1):
        environment.run(until=duration_s * i / _NUM_SLICES)
        if on_progress:
            on_progress(i / _NUM_SLICES)
        if done.processed:
            break
    return simulation.tables(duration_s)


def job_trace(jobs: Jobs, folder: Path, duration_s: float | None, streams: Streams) -> JobTrace:
    """The jobs as recorded or drawn, submitted before the duration is over; none if neither is asked for."""
    if jobs.trace is not None:
        path = located(jobs.trace.path, folder)
        trace = (jobs.trace.format or recognized_job_format(path)).read(path)
        return _cut(trace, jobs.trace, duration_s)
    if jobs.arrivals is None:
        nothing = np.empty(0)
        return JobTrace(nothing, nothing, nothing, nothing, nothing, nothing, nothing, (), (), (), ())
    try:
        return jobs.arrivals.generate(
            streams["jobs.arrivals"], float("inf") if duration_s is None else duration_s
        )
    except ValueError as error:
        remedy = "Give the scenario a duration, or the arrivals a number of jobs"
        raise ScenarioError(Problem(str(error), path="jobs.arrivals", remedy=remedy)) from error


def job_runs(trace: JobTrace, estimate_scale: float = 1.0) -> list[JobRun]:
    """Jobs that have not begun, in the order of submission."""
    runs = []
    columns = (
        trace.submitted_at_s,
        trace.duration_s,
        trace.num_accelerators,
        trace.cores,
        trace.memory_bytes,
        trace.estimated_s * estimate_scale,
        trace.priority,
    )
    texts = zip(trace.queue, trace.user, trace.models, strict=True)
    known: dict[Request, Request] = {}
    for number, (row, (queue, user, models)) in enumerate(
        zip(np.column_stack(columns).tolist(), texts, strict=True)
    ):
        submitted_at_s, duration_s, num_accelerators, cores, memory_bytes, estimated_s, priority = row
        request = Request(num_accelerators, cores, memory_bytes, models)
        request = known.setdefault(request, request)
        job = Job(number, submitted_at_s, request, estimated_s, queue=queue, user=user, priority=priority)
        runs.append(JobRun(job, duration_s, left_s=duration_s))
    return runs


def _in_one_line(runs: list[JobRun], modelled: Sequence[JobRun]) -> list[JobRun]:
    """All jobs in the order of submission, numbered anew."""
    if not modelled:
        return runs
    line = sorted([*runs, *modelled], key=lambda run: run.job.submitted_at_s)
    for number, run in enumerate(line):
        run.job.number = number
    return line


def node_shapes(jobs: Jobs, cluster: Cluster, folder: Path) -> Sequence[NodeShape]:
    """The nodes as job schedulers see them."""
    per_leaf = jobs.nodes_per_leaf
    if jobs.node_list is not None:
        found = read_node_list(located(jobs.node_list, folder))
        rows = zip(
            found.num_accelerators.tolist(),
            found.num_millicores.tolist(),
            found.memory_bytes.tolist(),
            found.models,
            strict=True,
        )
        shapes = [NodeShape(*row) for row in rows]
    else:
        millicores = jobs.cores_per_node * MILLICORES_PER_CORE if jobs.cores_per_node else PLENTY
        node, model = cluster.node, cluster.installed_accelerator.name
        shape = NodeShape(node.num_accelerators, millicores, int(node.memory_bytes), model)
        shapes = [shape] * cluster.num_nodes
    if not per_leaf:
        return shapes
    return [replace(shape, leaf=i // per_leaf) for i, shape in enumerate(shapes)]


def _cut(trace: JobTrace, spec: JobTraceSpec, duration_s: float | None) -> JobTrace:
    """The part of the trace that is asked for, from 0 on, at the rate that is asked for."""
    at_s = trace.submitted_at_s
    end_s = float("inf") if spec.span_s is None else spec.skipped_s + spec.span_s
    scaled_s = (at_s - spec.skipped_s) / spec.rate_scale
    kept = (at_s >= spec.skipped_s) & (at_s < end_s)
    if duration_s is not None:
        kept &= scaled_s < duration_s
    if not kept.any():
        message = "has no job in the time that is asked for"
        raise ScenarioError(Problem(message, file=spec.path, remedy="Change skip, span or the duration"))
    rows = np.flatnonzero(kept)
    first, last = int(rows[0]), int(rows[-1]) + 1  # submissions are sorted
    columns = {name: getattr(trace, name)[first:last] for name in trace.__slots__}
    return replace(trace, **{**columns, "submitted_at_s": scaled_s[first:last]})
