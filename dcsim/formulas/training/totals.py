"""Parameters of a whole job, one copy of each."""

from __future__ import annotations

from dataclasses import replace

from dcsim.formulas.training.parameters import num_trained_parameters
from dcsim.formulas.training.plan import TrainingPlan
from dcsim.formulas.transformer import num_parameters


def num_job_parameters(plan: TrainingPlan) -> float:
    """All weights of the model."""
    return float(num_parameters(plan.shape))


def num_job_trained_parameters(plan: TrainingPlan) -> float:
    """Weights that are trained, one copy of each: all, or the adapters."""
    if plan.adapters is None:
        return num_job_parameters(plan)
    alone = replace(plan, tensor=1, pipeline=1, context=1, data=1, expert=1, expert_tensor=1)
    return sum(num_trained_parameters(alone))
