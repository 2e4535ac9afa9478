"""An instant estimate of how training jobs end: failures and checkpoints counted, in closed form."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from dcsim.spec.scenario import Scenario
from dcsim.spec.training.dataset_preparation import resolve_preparation
from dcsim.spec.training.deployment import TrainingDeployment, resolve_training
from dcsim.spec.training.length import num_job_steps, num_trials
from dcsim.spec.training.prospects import training_prospects
from dcsim.study.training_estimate import fed_step
from dcsim.study.training_money import TrainingMoney, training_money


@dataclass(frozen=True, slots=True)
class CompletionForecast:
    """One training job with its failures and checkpoints, by Daly's complete form; alone, and spares suffice.

    J. T. Daly, "A higher order estimate of the optimum checkpoint interval for restart dumps", FGCS 22
    (2006), eq. 20. What depends on the length of the job is None where it has none, or would never end.
    """

    mttf_s: float  # mean time between failures that stop it; infinite if nothing fails
    restart_s: float  # from a failure to the next step, the checkpoint read
    interval_s: float | None  # between checkpoints; None if it never saves
    productive_frac: float  # of its time, in steps that count
    num_failures: float | None
    completion_s: float | None
    it_j: float | None
    facility_j: float | None
    cost_usd: float | None
    usd_per_million_tokens: float | None

    @property
    def is_disturbed(self) -> bool:
        """Whether failures or checkpoints take any time."""
        return self.productive_frac < 1.0


def estimate_completion(scenario: Scenario) -> Mapping[str, CompletionForecast]:
    """How the training jobs of a scenario end, in closed form, by name.

    Raises
    ------
    InfeasibleError
        A job does not fit in memory or its checkpoints into their store, the cluster is too small for it, or
        the accelerator lacks a datatype.
    """
    return {name: _completion(scenario, resolve_training(scenario, name)) for name in scenario.training}


def _completion(scenario: Scenario, job: TrainingDeployment) -> CompletionForecast:
    step = fed_step(scenario, job).step
    prospects = training_prospects(scenario, job, step_s=step.total_s)
    preparation = resolve_preparation(scenario, job)
    prepared_s = 0.0 if preparation is None else preparation.total_s
    ends = math.isfinite(prospects.completion_s)
    completion_s = prospects.completion_s + prepared_s if ends else None
    money, usd_per_token = TrainingMoney(), None
    if completion_s is not None:
        money = training_money(scenario, job, step.accelerator_rise_w, prospects.work_s, completion_s)
        num_tokens = (num_job_steps(job.job, job.tokens_per_step) or 0.0) * job.tokens_per_step
        num_tokens *= num_trials(job.job)
        usd_per_token = None if money.cost_usd is None else money.cost_usd / num_tokens
    return CompletionForecast(
        mttf_s=prospects.mttf_s,
        restart_s=prospects.restart_s,
        interval_s=prospects.interval_s,
        productive_frac=prospects.productive_frac,
        num_failures=None if completion_s is None else prospects.completion_s / prospects.mttf_s,
        completion_s=completion_s,
        it_j=money.it_j,
        facility_j=money.facility_j,
        cost_usd=money.cost_usd,
        usd_per_million_tokens=None if usd_per_token is None else usd_per_token * 1e6,
    )
