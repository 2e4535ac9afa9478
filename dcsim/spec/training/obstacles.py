"""What keeps a training job from ever getting on, whether or not anything fails: told before the run."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from dcsim.formulas.training.step import StepCondition
from dcsim.spec.reliability import Maintenance, Reliability
from dcsim.spec.scenario import Scenario
from dcsim.spec.training.checkpoint import CheckpointPlan, resolve_checkpoint
from dcsim.spec.training.dataset_preparation import resolve_preparation
from dcsim.spec.training.dataset_reads import resolve_dataset_reads
from dcsim.spec.training.deployment import TrainingDeployment
from dcsim.spec.training.length import num_job_steps, num_rounds
from dcsim.units import span_text


@dataclass(frozen=True, slots=True)
class _Work:
    """What a job is to do in the time there is, as far as obstacles are told from it."""

    num_steps: float  # infinite for a job without an end
    step_s: float
    plan: CheckpointPlan | None  # None as well for a job that never saves
    available_s: float

    @property
    def total_s(self) -> float:
        """All its steps undisturbed."""
        return self.num_steps * self.step_s

    @property
    def interval_s(self) -> float:
        """From one checkpoint to the next; infinite without."""
        if self.plan is None or self.plan.steps_per_save is None:
            return math.inf
        return self.plan.steps_per_save * self.step_s


def obstacles(scenario: Scenario, deployment: TrainingDeployment, available_s: float) -> Iterator[str]:
    """Why a job cannot get on within the time there is, with a remedy each; nothing where it can.

    Stores are taken to be the job's own. What only slows it down is no obstacle where the scenario gives the
    duration: then it is simulated as far as it comes.
    """
    job, plan = deployment.job, resolve_checkpoint(scenario, deployment)
    asked = num_job_steps(job, deployment.tokens_per_step)
    num_steps = math.inf if asked is None else asked * num_rounds(job)
    work = _Work(num_steps, deployment.step().total_s, plan, available_s)
    yield from _endless_write(work)
    yield from _endless_copy(scenario, deployment, available_s)
    if scenario.duration_s is None:
        yield from _late_samples(scenario, deployment, work)
        for one in (scenario.reliability or Reliability()).maintenance:
            yield from _no_time_between(scenario, deployment, work, one)


def _endless_write(work: _Work) -> Iterator[str]:
    plan = work.plan
    if plan is not None and work.interval_s < work.available_s and plan.write_s > work.available_s:
        yield (
            f"a checkpoint takes {span_text(plan.write_s)} to write, and there are "
            f"{span_text(work.available_s)}: none would ever be saved. Give store '{plan.store}' more write "
            "bandwidth, or save fewer bytes"
        )


def _endless_copy(scenario: Scenario, deployment: TrainingDeployment, available_s: float) -> Iterator[str]:
    preparation = resolve_preparation(scenario, deployment)
    if preparation is None:
        return
    takes_s, what = max((preparation.staging_s, "stage"), (preparation.shuffle_s, "reshuffle"))
    if takes_s > available_s:
        yield (
            f"its data set takes {span_text(takes_s)} to {what}, and there are {span_text(available_s)}. "
            "Give its stores more bandwidth, or read it from where it lies"
        )


def _late_samples(scenario: Scenario, deployment: TrainingDeployment, work: _Work) -> Iterator[str]:
    reads = resolve_dataset_reads(scenario, deployment)
    if reads.is_fast_enough:
        return
    rate = reads.available_bytes_per_s
    condition = StepCondition(input_bytes_per_s=rate)
    fed_s = math.inf if rate <= 0.0 else work.num_steps * deployment.step(condition).total_s
    if fed_s > work.available_s:
        yield (
            f"its samples arrive at {rate:.3g} B/s, by the {reads.bound_by}: its steps would take "
            f"{span_text(fed_s)}, and there are {span_text(work.available_s)}. Give the data set a faster "
            "store, larger files (samples_per_file), or read fewer bytes"
        )


def _no_time_between(
    scenario: Scenario, deployment: TrainingDeployment, work: _Work, maintenance: Maintenance
) -> Iterator[str]:
    """Windows that stop the job leave it a part of the time, less what stopping and starting take."""
    first_s = maintenance.every_s if maintenance.first_s is None else maintenance.first_s
    reliability = scenario.reliability or Reliability()
    if work.total_s <= first_s or not _stops(scenario, deployment, reliability, maintenance):
        return
    times, gap_s = reliability.recovery, maintenance.every_s - maintenance.duration_s
    useful_s = gap_s - times.initialization_s - times.warmup_s
    if work.plan is not None:
        useful_s -= work.plan.restore_s + work.plan.stall_s + work.plan.drain_s
    has_saves = math.isfinite(work.interval_s)
    share = max(useful_s, 0.0) / maintenance.every_s
    needed_s = work.total_s / share if share > 0.0 else math.inf
    if needed_s > work.available_s or (not has_saves and useful_s < work.total_s):
        kept = "" if has_saves else ", and without checkpoints each one undoes all work"
        yield (
            f"maintenance every {span_text(maintenance.every_s)} for {span_text(maintenance.duration_s)} "
            f"leaves {span_text(max(useful_s, 0.0))} of work between two windows, once it has stopped and "
            f"started{kept}: it would never end. Lengthen every, shorten duration, or lessen nodes"
        )


def _stops(
    scenario: Scenario,
    deployment: TrainingDeployment,
    reliability: Reliability,
    maintenance: Maintenance,
) -> bool:
    """Whether every window is sure to leave the job too few nodes, whoever has the others."""
    num_nodes = scenario.cluster.num_nodes
    num_away = max(1, round(maintenance.nodes_frac * num_nodes))
    if num_away >= num_nodes:
        return True
    return num_nodes - num_away < deployment.num_nodes and not reliability.has_elastic_shrink
