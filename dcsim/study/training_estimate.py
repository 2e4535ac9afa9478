"""An instant estimate of training jobs: step, utilisation, time, memory, energy and cost in closed form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from dcsim.formulas.training.breakdown import TrainingStep
from dcsim.formulas.training.memory import RankMemory
from dcsim.formulas.training.step import StepCondition
from dcsim.spec.scenario import Scenario
from dcsim.spec.training.dataset_preparation import resolve_preparation
from dcsim.spec.training.dataset_reads import resolve_dataset_reads
from dcsim.spec.training.deployment import TrainingDeployment, resolve_training
from dcsim.spec.training.fabric import alone_step
from dcsim.spec.training.length import num_job_steps, num_rounds, num_trials
from dcsim.study.training_money import TrainingMoney, training_money
from dcsim.units import SECONDS_PER_DAY

_TOLD_FRAC = 0.005  # of a step: what full links or slow stores must add to it to be told


@dataclass(frozen=True, slots=True)
class TrainingForecast:
    """One training job without failures, checkpoints and neighbours; on the cluster's fabric, if it has one.

    Energy and cost are those of the job's nodes while it runs; None where the scenario lacks what they need,
    and everything that depends on the length of the job where it has none.
    """

    num_accelerators: int
    num_nodes: int
    step: TrainingStep
    step_s: float
    undisturbed_step_s: float  # the same on links that are never full
    scale_out_share_frac: float  # what its bursts find of the nodes' rate on the cluster's fabric
    counted_in: str  # tokens, or samples of a model without tokens: what is named after tokens counts them
    tokens_per_s: float
    tokens_per_accelerator_s: float
    model_flops_per_accelerator_s: float
    mfu_frac: float
    hfu_frac: float
    memory: RankMemory
    num_checkpoint_bytes: float
    scale_out_bytes_per_node: float
    accelerator_w: float  # of the mean accelerator of the job
    samples_bound_by: str  # what holds samples up, if steps wait for them
    preparation_s: float  # to stage the data set, and to shuffle it between epochs, beside the steps
    num_steps: float | None
    num_tokens: float | None
    days: float | None
    it_j: float | None
    facility_j: float | None
    cost_usd: float | None
    usd_per_million_tokens: float | None

    @property
    def is_hindered(self) -> bool:
        """Whether full links or slow stores lengthen the step enough to be told."""
        return self.step_s > (1.0 + _TOLD_FRAC) * self.undisturbed_step_s


class FedStep(NamedTuple):
    """A step as fast as its samples come."""

    step: TrainingStep
    scale_out_share_frac: float  # what its bursts find of the nodes' rate on the fabric
    samples_bound_by: str  # what holds samples up, if it waits for them


def estimate_training(scenario: Scenario) -> Mapping[str, TrainingForecast]:
    """The training jobs of a scenario in closed form, by name.

    Raises
    ------
    InfeasibleError
        A job does not fit in memory, the cluster is too small for it, or the accelerator lacks a datatype.
    """
    return {name: _forecast(scenario, resolve_training(scenario, name)) for name in scenario.training}


def _forecast(scenario: Scenario, job: TrainingDeployment) -> TrainingForecast:
    step, share_frac, samples_bound_by = fed_step(scenario, job)
    step_s = step.total_s
    preparation = resolve_preparation(scenario, job)
    num_steps = num_job_steps(job.job, job.tokens_per_step)
    duration_s = None if num_steps is None else num_steps * step_s * num_rounds(job.job)
    num_tokens = None if num_steps is None else num_steps * job.tokens_per_step * num_trials(job.job)
    tokens_per_s = job.tokens_per_step / step_s
    money = TrainingMoney()
    if duration_s is not None:
        money = training_money(scenario, job, step.accelerator_rise_w, duration_s, duration_s)
    usd = money.cost_usd
    flops_per_s = job.model_flops_per_step / job.num_accelerators / step_s
    return TrainingForecast(
        num_accelerators=job.num_accelerators,
        num_nodes=job.num_nodes,
        step=step,
        step_s=step_s,
        undisturbed_step_s=job.step().total_s,
        scale_out_share_frac=share_frac,
        counted_in=job.counted_in,
        tokens_per_s=tokens_per_s,
        tokens_per_accelerator_s=tokens_per_s / job.num_accelerators,
        model_flops_per_accelerator_s=flops_per_s,
        mfu_frac=step.mfu_frac,
        hfu_frac=step.hfu_frac,
        memory=job.memory,
        num_checkpoint_bytes=job.num_checkpoint_bytes,
        scale_out_bytes_per_node=job.scale_out_bytes_per_node,
        accelerator_w=job.hardware.power.idle_w + step.accelerator_rise_w,
        samples_bound_by=samples_bound_by,
        preparation_s=0.0 if preparation is None else preparation.total_s,
        num_steps=num_steps,
        num_tokens=num_tokens,
        days=None if duration_s is None else duration_s / SECONDS_PER_DAY,
        it_j=money.it_j,
        facility_j=money.facility_j,
        cost_usd=usd,
        usd_per_million_tokens=None if usd is None or num_tokens is None else usd / num_tokens * 1e6,
    )


def fed_step(scenario: Scenario, job: TrainingDeployment) -> FedStep:
    """The step of a job alone, as fast as its samples come from their store over the fabric."""
    step, share_frac = alone_step(scenario, job)
    reads = resolve_dataset_reads(scenario, job)
    rate = reads.available_bytes_per_s
    if job.num_input_bytes_per_step > rate * step.total_s:
        step = job.step(StepCondition(scale_out_share_frac=share_frac, input_bytes_per_s=rate))
    return FedStep(step, share_frac, "" if reads.is_fast_enough else reads.bound_by)
