"""Training jobs that wait in the job scheduler's queue: as whom they are submitted, and what rules it out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import Field

from dcsim.catalog.store import StoreScope
from dcsim.errors import Problem
from dcsim.policies.job_schedulers.elastic import Elastic
from dcsim.spec.document import Document
from dcsim.spec.section import Section
from dcsim.strict_yaml import YamlPath

if TYPE_CHECKING:
    from dcsim.spec.jobs import Jobs
    from dcsim.spec.scenario import Scenario
    from dcsim.spec.training.job import TrainingJob


class Scheduled(Section):
    """As whom a training job waits in the queue of the section jobs, for whole nodes of its pool."""

    queue: str = Field(default="", max_length=200, description="Queue (tenant, virtual cluster).")
    user: str = Field(default="", max_length=200, description="User.")
    priority: float = Field(default=0.0, allow_inf_nan=False, description="Larger goes first.")


def scheduled_queues(scenario: Scenario) -> frozenset[str]:
    """The queues that training jobs are submitted to."""
    return frozenset(one.scheduled.queue for one in scenario.training.values() if one.scheduled is not None)


def scheduled_problems(scenario: Scenario, source: Document) -> Iterator[Problem]:
    """What speaks against training jobs in the queue; and a queue that nobody submits to."""
    jobs, scheduled = scenario.jobs, scheduled_queues(scenario)
    if jobs is not None and jobs.trace is None and jobs.arrivals is None and not scheduled:
        yield source.problem(
            ("jobs",), "nobody submits a job", remedy="Give either trace or arrivals, or schedule training"
        )
    for name, job in scenario.training.items():
        if job.scheduled is None:
            continue
        path = ("training", name, "scheduled")
        if jobs is None:
            yield source.problem(path, "there is no queue to wait in", remedy="Add a section jobs")
        else:
            yield from _queue_problems(jobs, source, path)
        if scenario.reliability is not None and scenario.reliability.has_elastic_shrink:
            message = "a job of the queue has all its nodes or none: it cannot shrink"
            yield source.problem(path, message, remedy="Leave it or reliability.elastic_shrink out")
        yield from _job_problems(scenario, job, source, path)


def _queue_problems(jobs: Jobs, source: Document, path: YamlPath) -> Iterator[Problem]:
    """What its section jobs must not ask for."""
    if jobs.node_list is not None:
        message = "the nodes of jobs.node_list are not the cluster's, whose fabric and stores training uses"
        yield source.problem(path, message, remedy="Leave one of the two out")
    if isinstance(jobs.scheduler, Elastic):
        message = "the scheduler elastic resizes jobs, and modelled training has one size"
        yield source.problem(path, message, remedy="Choose another jobs.scheduler")
    if jobs.placement.is_split:
        message = "training takes whole nodes, and jobs.placement may split jobs of one node over several"
        yield source.problem(path, message, remedy="Leave split of jobs.placement out")


def _job_problems(
    scenario: Scenario, job: TrainingJob, source: Document, path: YamlPath
) -> Iterator[Problem]:
    """What the job itself must not be."""
    if job.sweep is not None:
        message = "the trials of a sweep do not wait in the queue one by one"
        yield source.problem(path, message, remedy="Leave sweep out, and write a job for each trial")
    if job.steps is None and job.tokens is None and job.epochs is None:
        message = "the scheduler must be told how long the job is"
        yield source.problem(path, message, remedy="Give tokens, steps or epochs of the job")
    name = None if job.checkpoint is None else job.checkpoint.store
    store = None if name is None else scenario.cluster.storage.get(name)
    if store is not None and store.base.scope is StoreScope.NODE:
        message = "its checkpoints lie on the nodes' own drives, and it may go on on other nodes"
        yield source.problem(path, message, remedy="Name a store that all nodes share under checkpoint")
