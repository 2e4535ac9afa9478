"""The generation phase of reinforcement learning: the job's accelerators serve its model between steps."""

from __future__ import annotations

from collections.abc import Callable

from dcsim.catalog.model import Model
from dcsim.errors import InfeasibleError
from dcsim.formulas.network.group_collectives import Collective, collective_time
from dcsim.formulas.training.breakdown import TrainingStep
from dcsim.formulas.training.generation import GenerationPhase, generation_s
from dcsim.formulas.training.hardware import TrainingHardware
from dcsim.formulas.training.step import StepCondition
from dcsim.spec.deployment import resolve_deployment
from dcsim.spec.scenario import Scenario
from dcsim.spec.serving import Serving
from dcsim.spec.training.forms import JobForm
from dcsim.spec.training.job import Rollout


def with_generation(
    scenario: Scenario, name: str, hardware: TrainingHardware, form: JobForm
) -> Callable[[StepCondition], TrainingStep]:
    """The steps of the training job ``name`` in its closed form, each after the generation of its samples.

    With fewer replicas left, the accelerators that are left generate them all.
    """
    whole_s = rollout_s(scenario, name, hardware, form)
    if whole_s == 0.0:
        return form.time_of
    assert form.plan is not None  # fixed costs generate nothing
    num_replicas = form.plan.data

    def time_of(condition: StepCondition) -> TrainingStep:
        left = condition.num_data_parallel or num_replicas
        return form.time_of(condition).after_generation(whole_s * num_replicas / left)

    return time_of


def rollout_s(scenario: Scenario, name: str, hardware: TrainingHardware, form: JobForm) -> float:
    """Time of a step in which the job ``name`` generates its samples; 0 for jobs that do not.

    Weights are first sent to the generating copies. Raises InfeasibleError if the model does not fit there.
    """
    job = scenario.training[name]
    rollout = job.rollout
    if rollout is None or not isinstance(job.model, Model):
        return 0.0
    num_copies = form.num_accelerators // rollout.tensor
    if num_copies == 0:
        raise InfeasibleError(
            f"training.{name}: rollout.tensor = {rollout.tensor} is more than its accelerators"
        )
    served = resolve_deployment(_with_serving(scenario, name, job.model, rollout, num_copies), name)
    cached = served.num_blocks_per_lane * served.block_size
    longest = rollout.prompt_tokens + rollout.length_tail_factor * rollout.output_tokens
    phase = GenerationPhase(
        num_samples=-(-job.batch.sequences // num_copies),
        num_concurrent=max(1, min(rollout.max_concurrent, int(cached / longest))),
        num_prompt_tokens=rollout.prompt_tokens,
        num_output_tokens=float(rollout.output_tokens),
        length_tail_factor=rollout.length_tail_factor,
    )
    part = form.num_weight_bytes / rollout.tensor
    return generation_s(served.deployment, phase) + _sending_s(hardware, form.num_accelerators, part)


def _sending_s(hardware: TrainingHardware, num_ranks: int, num_bytes: float) -> float:
    """Time in which every generating accelerator gets its part of the new weights."""
    inner = min(num_ranks, hardware.network.domain_size)
    return float(collective_time(Collective.ALL_GATHER, hardware.network, num_ranks, inner, num_bytes))


def _with_serving(scenario: Scenario, name: str, model: Model, rollout: Rollout, num_copies: int) -> Scenario:
    """The same cluster, serving the model under the job's name in place of anything else."""
    serving = Serving.model_validate(
        {
            "model": model,
            "engine": rollout.engine,
            "num_replicas": num_copies,
            "parallelism": {"tensor": rollout.tensor},
            "traffic": {
                "arrivals": {"policy": "poisson", "rate": "1 /s"},
                "lengths": {
                    "policy": "fixed",
                    "prompt": rollout.prompt_tokens,
                    "output": rollout.output_tokens,
                },
            },
        }
    )
    return scenario.model_copy(update={"serving": {name: serving}})
