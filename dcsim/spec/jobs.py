"""The jobs section: what is submitted, who decides, where jobs go, and what takes nodes away."""

from __future__ import annotations

from collections.abc import Container, Iterator
from typing import Annotated, NamedTuple

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from dcsim.plugins import PolicyFrom
from dcsim.policies.job_scheduler import JobScheduler
from dcsim.policies.job_schedulers.fifo import Fifo
from dcsim.policies.job_schedulers.quota import Quota
from dcsim.policies.placement import Placement
from dcsim.policies.placements.pack import Pack
from dcsim.spec.recorded import Recorded
from dcsim.spec.section import Section
from dcsim.units import Fraction, PositiveSeconds, Ratio, Seconds
from dcsim.workloads.job_generator import JobGenerator
from dcsim.workloads.job_trace import JOB_FORMATS, JobTraceFormat
from dcsim.workloads.jobs.poisson import Poisson

_TEN_MINUTES_S = 600.0
_MAX_NODES = 1_000_000


class JobTraceSpec(Recorded):
    """A recorded job trace. A path alone is short for {path: PATH}."""

    format: Annotated[JobTraceFormat, PolicyFrom(JOB_FORMATS)] | None = Field(
        default=None, description="Format; told from the file's beginning if left out, csv if that fails."
    )
    skipped_s: Seconds = Field(
        default=0.0, alias="skip", description="Jobs submitted in the first so long are left out."
    )
    span_s: PositiveSeconds | None = Field(
        default=None,
        alias="span",
        description="Jobs submitted for so long after that are read; all if left out.",
    )
    rate_scale: Ratio = Field(
        default=1.0, gt=0, description="Factor on the rate of submission: instants are divided by it."
    )


class Preemption(Section):
    """What stopping a job costs."""

    restart_s: Seconds = Field(
        default=0.0,
        alias="restart",
        description="Time without progress at the start of each run after the first: loading a checkpoint.",
    )
    checkpoint_interval_s: PositiveSeconds | None = Field(
        default=None,
        alias="checkpoint_interval",
        description="Run time between checkpoints; if left out, a failure loses the whole run.",
    )
    saves: bool = Field(
        default=True,
        description="Preempted jobs save their work first; else they lose it back to their last checkpoint.",
    )
    max_restarts: int = Field(
        default=1000, ge=0, le=1_000_000, description="Restarts after which a job is given up."
    )


class NodeWindow(Section):
    """Some nodes are in maintenance, once or again and again."""

    start_s: Seconds = Field(alias="start", description="When it begins.")
    duration_s: PositiveSeconds = Field(alias="duration", description="How long it takes.")
    every_s: PositiveSeconds | None = Field(
        default=None, alias="every", description="Time from one beginning to the next; once if left out."
    )
    drain_s: Seconds = Field(
        default=0.0, alias="drain", description="How long before no job is placed on the nodes any more."
    )
    first_node: int = Field(default=0, ge=0, le=_MAX_NODES, description="First of the nodes, from 0.")
    num_nodes: int = Field(gt=0, le=_MAX_NODES, description="Number of nodes, one after another.")

    @model_validator(mode="after")
    def _fits_its_period(self) -> NodeWindow:
        if self.every_s is not None and self.every_s < self.duration_s + self.drain_s:
            raise PydanticCustomError("window", "every must be at least drain and duration together")
        return self


class Spot(Section):
    """The last nodes of the pool are spot capacity: lent, and taken away at random."""

    num_nodes: int = Field(gt=0, le=_MAX_NODES, description="Number of spot nodes, the last of the pool.")
    mean_available_s: PositiveSeconds = Field(
        alias="mean_available", description="Mean time until a node is taken away; exponential."
    )
    mean_away_s: PositiveSeconds = Field(
        alias="mean_away", description="Mean time until it is offered again; exponential."
    )
    notice_s: Seconds = Field(
        default=0.0,
        alias="notice",
        description="Warning before it goes: no job is placed on it, and jobs on it save their work.",
    )


class Jobs(Section):
    """Jobs that wait for the cluster's nodes and run on them."""

    trace: JobTraceSpec | None = Field(default=None, description="A recorded job trace.")
    arrivals: Annotated[JobGenerator, PolicyFrom("dcsim.workloads.jobs")] | None = Field(
        default=None, description="Jobs drawn at random, instead of a trace."
    )
    scheduler: Annotated[JobScheduler, PolicyFrom("dcsim.policies.job_schedulers")] = Field(
        default_factory=Fifo, description="Which waiting jobs start, and which running ones make way."
    )
    placement: Annotated[Placement, PolicyFrom("dcsim.policies.placements")] = Field(
        default_factory=Pack, description="Which nodes a job gets."
    )
    node_list: str | None = Field(
        default=None,
        min_length=1,
        description="CSV file with a line for each node (cpu_milli, memory_mib, gpu, model), in place of the "
        "cluster's nodes.",
    )
    cores_per_node: int | None = Field(
        default=None, gt=0, le=65536, description="Host cores of a node; not counted if left out."
    )
    nodes_per_leaf: int | None = Field(
        default=None, gt=0, le=_MAX_NODES, description="Nodes under one leaf switch; all if left out."
    )
    estimate_scale: Ratio = Field(
        default=1.0, gt=0, description="Factor on the run times that the scheduler is told."
    )
    preemption: Preemption = Field(
        default_factory=Preemption, description="What stopping and restarting jobs costs."
    )
    maintenance: tuple[NodeWindow, ...] = Field(
        default=(), max_length=1000, description="Maintenance windows."
    )
    spot: Spot | None = Field(default=None, description="Spot capacity.")
    accelerator_use_frac: Fraction = Field(
        default=0.5,
        alias="accelerator_use",
        description="Mean power above idle of an accelerator that a job holds, as share of what it can rise: "
        "an estimate, since traces do not tell.",
    )
    bin_s: PositiveSeconds = Field(
        default=_TEN_MINUTES_S, alias="bin", description="Length of the intervals of the table pool."
    )

    @model_validator(mode="after")
    def _has_one_source(self) -> Jobs:
        if self.trace is not None and self.arrivals is not None:
            raise PydanticCustomError("jobs", "give either trace or arrivals")
        return self


class JobProblem(NamedTuple):
    """A contradiction between fields of the section, or with the cluster."""

    path: tuple[str | int, ...]  # below the section
    message: str
    value: object
    remedy: str


def job_problems(
    jobs: Jobs, num_nodes: int, num_accelerators: int, other_queues: Container[str] = ()
) -> Iterator[JobProblem]:
    """What the section contradicts in a cluster of so many nodes and accelerators.

    ``other_queues`` are those that jobs of other sections are submitted to.
    """
    if jobs.node_list is None:
        for i, window in enumerate(jobs.maintenance):
            if window.first_node + window.num_nodes > num_nodes:
                path, remedy = ("maintenance", i, "num_nodes"), "Name nodes that exist"
                message = f"reaches beyond the last of {num_nodes} nodes"
                yield JobProblem(path, message, window.first_node + window.num_nodes, remedy)
        if jobs.spot and jobs.spot.num_nodes > num_nodes:
            message, remedy = f"is more than the cluster's {num_nodes} nodes", "Add nodes or ask for fewer"
            yield JobProblem(("spot", "num_nodes"), message, jobs.spot.num_nodes, remedy)
    if isinstance(jobs.scheduler, Quota):
        yield from _unused_quotas(jobs.scheduler, jobs.arrivals, other_queues)
    if isinstance(jobs.scheduler, Quota) and jobs.node_list is None:
        total = sum(jobs.scheduler.quotas.values())
        if total > num_accelerators:
            message = f"the quotas are {total} accelerators together, the cluster has {num_accelerators}"
            yield JobProblem(("scheduler", "quotas"), message, total, "Lower the quotas or add nodes")
        negative = [queue for queue, number in jobs.scheduler.quotas.items() if number < 0]
        for queue in negative:
            yield JobProblem(
                ("scheduler", "quotas", queue), "must not be negative", jobs.scheduler.quotas[queue], ""
            )


def _unused_quotas(
    scheduler: Quota, arrivals: JobGenerator | None, other_queues: Container[str]
) -> Iterator[JobProblem]:
    """Quotas of queues that no drawn job comes from; a trace may well have none in the time that is read."""
    if not isinstance(arrivals, Poisson):
        return
    for queue in scheduler.quotas:
        if queue not in arrivals.queues and queue not in other_queues:
            known = ", ".join(filter(None, arrivals.queues)) or "none has a name"
            remedy = f"Queues of jobs.arrivals: {known}"
            path, message = ("scheduler", "quotas", queue), "no job comes from a queue of that name"
            yield JobProblem(path, message, queue, remedy)
