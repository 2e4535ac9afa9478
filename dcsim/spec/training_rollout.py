"""The generation phase of reinforcement learning: the job's accelerators serve its model between steps."""

from __future__ import annotations

from dcsim.catalog.model import Model
from dcsim.errors import InfeasibleError
from dcsim.formulas.group_collectives import Collective, collective_time
from dcsim.formulas.training.generation import GenerationPhase, generation_s
from dcsim.spec.deployment import resolve_deployment
from dcsim.spec.scenario import Scenario
from dcsim.spec.serving import Serving
from dcsim.spec.training import Rollout
from dcsim.spec.training_deployment import TrainingDeployment


def rollout_s(scenario: Scenario, job: TrainingDeployment) -> float:
    """Time of a step in which the job generates its samples; 0 for jobs that do not.

    Weights are first sent to the generating copies. Raises InfeasibleError if the model does not fit there.
    """
    rollout = job.job.rollout
    if rollout is None or not isinstance(job.job.model, Model):
        return 0.0
    num_copies = job.num_accelerators // rollout.tensor
    if num_copies == 0:
        raise InfeasibleError(
            f"training.{job.name}: rollout.tensor = {rollout.tensor} is more than its accelerators"
        )
    served = resolve_deployment(_with_serving(scenario, job.job.model, rollout, num_copies), job.name)
    cached = served.num_blocks_per_lane * served.block_size
    longest = rollout.prompt_tokens + rollout.length_tail_factor * rollout.output_tokens
    phase = GenerationPhase(
        num_samples=-(-job.job.batch.sequences // num_copies),
        num_concurrent=max(1, min(rollout.max_concurrent, int(cached / longest))),
        num_prompt_tokens=rollout.prompt_tokens,
        num_output_tokens=float(rollout.output_tokens),
        length_tail_factor=rollout.length_tail_factor,
    )
    return generation_s(served.deployment, phase) + _weights_s(job, rollout)


def _weights_s(job: TrainingDeployment, rollout: Rollout) -> float:
    """Time in which every generating accelerator gets its part of the new weights."""
    ranks = job.num_accelerators
    inner = min(ranks, job.hardware.network.domain_size)
    part = job.num_weight_bytes / rollout.tensor
    return float(collective_time(Collective.ALL_GATHER, job.hardware.network, ranks, inner, part))


def _with_serving(scenario: Scenario, model: Model, rollout: Rollout, num_copies: int) -> Scenario:
    """The same cluster, serving the model under the job's name in place of anything else."""
    name = next(key for key, job in scenario.training.items() if job.rollout is rollout)
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
