"""The training jobs of a scenario on the clock: each with its checkpoints, its network and its nodes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import simpy

from dcsim.sim.fabric.fabric import Fabric
from dcsim.sim.failures.process import FailureProcess
from dcsim.sim.failures.spares import SparePool
from dcsim.sim.storage.reshuffling import Reshuffling
from dcsim.sim.storage.sample_input import SampleInput
from dcsim.sim.storage.staging import Staging
from dcsim.sim.storage.store import Store
from dcsim.sim.training.checkpointing import Checkpointing
from dcsim.sim.training.fabric_network import FabricNetwork
from dcsim.sim.training.job import TrainingProcess, TrainingTask
from dcsim.sim.training.job_table import training_job_table
from dcsim.sim.training.queue import queued_training
from dcsim.sim.training.scheduled_gang import QueuedTraining
from dcsim.sim.training.span_log import SpanLog
from dcsim.sim.training.stored_checkpoints import StoredCheckpoints
from dcsim.sim.training.timed_checkpoints import timed_checkpoints
from dcsim.sim.training.trials import Trials
from dcsim.spec.reliability import Reliability
from dcsim.spec.scenario import Scenario
from dcsim.spec.training.checkpoint import resolve_checkpoint
from dcsim.spec.training.dataset_preparation import DatasetPreparation, resolve_preparation
from dcsim.spec.training.dataset_reads import resolve_dataset_reads
from dcsim.spec.training.deployment import TrainingDeployment
from dcsim.spec.training.length import num_concurrent_trials, num_job_steps, num_trials
from dcsim.tables import Table


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What training jobs share with each other and with the rest of the cluster."""

    environment: simpy.Environment
    fabric: Fabric | None
    stores: Mapping[str, Store]
    failures: FailureProcess
    pool: SparePool
    reliability: Reliability


class TrainingJobs:
    """All training jobs of a scenario, a sweep with its trials."""

    def __init__(
        self, scenario: Scenario, deployments: Sequence[TrainingDeployment], around: Surroundings
    ) -> None:
        self._scenario, self._around = scenario, around
        self._spans = SpanLog()
        self.queued: list[QueuedTraining] = []  # those that wait in the job scheduler's queue
        self.jobs = [self._trials(one) for one in deployments]

    @property
    def alone_s(self) -> float:
        """When the last job would end if nothing came in between; infinite if one has no end."""
        return max((job.alone_s for job in self.jobs), default=0.0)

    @property
    def done_fracs(self) -> list[float]:
        """How far each job is."""
        return [job.done_frac for job in self.jobs]

    def tables(self) -> Mapping[str, Table]:
        """End the jobs that still run, and return what they wrote."""
        for job in self.jobs:
            job.finish()
        for one in self.queued:
            one.run.lost_s = self._spans.lost_s(one.name)
        if not self.jobs:
            return {}
        processes = [one for job in self.jobs for one in job.processes]
        return {"training_spans": self._spans.table(), "training_jobs": training_job_table(processes)}

    def _trials(self, deployment: TrainingDeployment) -> Trials:
        job, around = deployment.job, self._around
        num_at_once = num_concurrent_trials(job)
        staging = self._staging(deployment, resolve_preparation(self._scenario, deployment))
        places = [
            self._place(deployment, name, staging) for name in _place_names(deployment.name, num_at_once)
        ]
        return Trials(
            around.environment,
            lambda place, at_s: places[place](at_s),
            num_trials=num_trials(job),
            num_at_once=num_at_once,
            submitted_at_s=job.starts_at_s,
        )

    def _place(
        self, deployment: TrainingDeployment, name: str, staging: Staging | None
    ) -> Callable[[float], TrainingProcess]:
        """A place of a job's trials, with the checkpoints and the way to the network that they share."""
        job, around = deployment.job, self._around
        steps = num_job_steps(job, deployment.tokens_per_step)
        preparation = resolve_preparation(self._scenario, deployment)
        task = TrainingTask(
            name=name,
            steps=deployment,
            recovery=around.reliability.recovery,
            num_steps=math.inf if steps is None else steps,
            is_elastic=around.reliability.has_elastic_shrink,
            prepared_s=0.0 if preparation is None else preparation.total_s,
        )
        checkpoints, network = self._checkpoints(deployment, name), self._network(deployment, name)
        samples = self._samples(deployment, name, preparation, staging)
        queued = None
        if job.scheduled is not None:
            queued = queued_training(
                self._scenario, deployment, replace(task, submitted_at_s=job.starts_at_s)
            )
            self.queued.append(queued)
        return lambda at_s: TrainingProcess(
            around.environment,
            replace(task, submitted_at_s=at_s),
            checkpoints,
            around.failures,
            around.pool,
            self._spans,
            network=network,
            samples=samples,
            queued=queued,
        )

    def _checkpoints(self, deployment: TrainingDeployment, name: str) -> Checkpointing | None:
        plan = resolve_checkpoint(self._scenario, deployment)
        if plan is None:
            return None
        if plan.store is None:
            return timed_checkpoints(self._around.environment, plan)
        return StoredCheckpoints(self._around.environment, self._around.stores[plan.store], plan, name)

    def _network(self, deployment: TrainingDeployment, name: str) -> FabricNetwork | None:
        if self._around.fabric is None or deployment.num_nodes < 2:
            return None
        return FabricNetwork(self._around.fabric, name, deployment)

    def _samples(
        self,
        deployment: TrainingDeployment,
        name: str,
        preparation: DatasetPreparation | None,
        staging: Staging | None,
    ) -> SampleInput | None:
        """What the job reads from a store; None where it names none."""
        reads = resolve_dataset_reads(self._scenario, deployment)
        if reads.store is None:
            return None
        environment, store, reshuffling = self._around.environment, self._around.stores[reads.store], None
        if preparation is not None and math.isfinite(preparation.steps_per_epoch):
            per_epoch = preparation.steps_per_epoch
            reshuffling = Reshuffling(environment, store, preparation.access, per_epoch, name)
        return SampleInput(store, reads, name, staging=staging, reshuffling=reshuffling)

    def _staging(self, deployment: TrainingDeployment, plan: DatasetPreparation | None) -> Staging | None:
        """The copy of the data set, of all trials of a sweep together; None where it lies in its store."""
        if plan is None or plan.staged_from is None:
            return None
        stores, environment = self._around.stores, self._around.environment
        return Staging(
            environment, stores[plan.staged_from], stores[plan.store], plan.access, deployment.name
        )


def _place_names(job: str, num_at_once: int) -> list[str]:
    """What the spans of a job are written under: those of trials at the same time apart."""
    return [job] if num_at_once == 1 else [f"{job}.{number + 1}" for number in range(num_at_once)]
