"""Energy and cost of the nodes that hold a training job, as if they were a cluster of their own."""

from __future__ import annotations

from typing import NamedTuple

from dcsim.metrics.cost import cost_figures
from dcsim.metrics.energy import ClusterSums, energy_figures
from dcsim.metrics.figures import Figures
from dcsim.spec.scenario import Scenario
from dcsim.spec.training.deployment import TrainingDeployment
from dcsim.spec.training.length import num_concurrent_trials


class TrainingMoney(NamedTuple):
    """What a job draws and costs; None where the scenario lacks what a figure needs."""

    it_j: float | None = None
    facility_j: float | None = None
    cost_usd: float | None = None


def training_money(
    scenario: Scenario, job: TrainingDeployment, accelerator_rise_w: float, computing_s: float, held_s: float
) -> TrainingMoney:
    """A job that computes for ``computing_s`` of the ``held_s`` for which it has its nodes.

    ``accelerator_rise_w`` is what the mean accelerator draws above idle while the job computes.
    """
    num_alike = num_concurrent_trials(job.job)
    cluster = scenario.cluster.model_copy(update={"num_nodes": job.num_nodes * num_alike})
    alone = scenario.model_copy(update={"cluster": cluster})
    sums = ClusterSums(
        duration_s=held_s,
        rise_j=accelerator_rise_w * job.num_accelerators * num_alike * computing_s,
        num_output_tokens=0.0,
        num_prompt_tokens=0.0,
        prefill_accelerator_s=0.0,
        decode_accelerator_s=0.0,
    )
    energy = energy_figures(alone, job.hardware.power.idle_w, sums)
    cost = cost_figures(alone, energy, sums) or {}
    return TrainingMoney(_number(energy, "it_j"), _number(energy, "facility_j"), _number(cost, "total_usd"))


def _number(figures: Figures, key: str) -> float | None:
    found = figures.get(key)
    return float(found) if isinstance(found, int | float) else None
