"""A search over parallelism plans of a training job: those that fit in memory, fastest first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from dcsim.catalog.model import Model
from dcsim.errors import InfeasibleError, Problem, ScenarioError
from dcsim.formulas.training.breakdown import TrainingStep
from dcsim.formulas.training.choices import Recompute, Sharding
from dcsim.formulas.training.memory import RankMemory, rank_memory
from dcsim.formulas.training.plan import TrainingPlan
from dcsim.formulas.training.step import UNDISTURBED, StepCondition, training_step
from dcsim.formulas.training.traffic import scale_out_patterns
from dcsim.policies.pipeline_schedules.interleaved import Interleaved
from dcsim.policies.pipeline_schedules.one_forward_one_backward import OneForwardOneBackward
from dcsim.spec.scenario import Scenario
from dcsim.spec.training.deployment import TrainingDeployment, unchecked_training
from dcsim.study.training_estimate import fed_step
from dcsim.validation import nearest

_SPARE_LAYERS = 2


@dataclass(frozen=True, slots=True)
class StrategySpace:
    """What a search varies. Sizes that do not divide the job's are passed over."""

    tensor: Sequence[int] = (1, 2, 4, 8)
    pipeline: Sequence[int] = (1, 2, 4, 8, 16, 32, 64)
    context: Sequence[int] = (1,)
    expert: Sequence[int] = (1, 2, 4, 8, 16, 32, 64)
    micro: Sequence[int] = (1, 2, 4, 8)
    max_virtual_stages: int = 8
    recompute: Sequence[Recompute] = (Recompute.NONE, Recompute.SELECTIVE, Recompute.FULL)
    sharding: Sequence[Sharding] = (Sharding.OPTIMIZER, Sharding.GRADIENTS, Sharding.FULL)


@dataclass(frozen=True, slots=True)
class Strategy:
    """One plan that fits, with what it costs. ``settings`` make a scenario of it: ``scenario.replace``."""

    plan: TrainingPlan = field(repr=False)
    settings: Mapping[str, object] = field(hash=False)
    step_s: float
    mfu_frac: float
    memory: RankMemory

    @property
    def memory_frac(self) -> float:
        """Share of the fullest accelerator's memory that is used."""
        return self.memory.total_bytes / self.memory.capacity_bytes


@dataclass(frozen=True, slots=True)
class Ranking:
    """The fastest plans, and how many were looked at or refused, by the term of memory that overflowed."""

    strategies: tuple[Strategy, ...]
    num_considered: int
    num_refused: Mapping[str, int] = field(hash=False)


def rank_strategies(
    scenario: Scenario, name: str, *, space: StrategySpace | None = None, limit: int = 20
) -> Ranking:
    """The ``limit`` fastest plans of a training job on the accelerators that it has.

    Model, batch, precision, optimiser and everything else stay; tensor, pipeline, data, context and expert
    parallelism, micro-batch, virtual stages, recomputation and sharding vary. Steps are those of a job alone
    on the cluster's fabric, fed by its stores, if it has them. Of plans alike in time, that with less memory
    comes first.

    Raises
    ------
    InfeasibleError
        The model is no decoder-only transformer, or no plan fits in memory.
    """
    job = unchecked_training(scenario, name)
    if job.plan is None or not isinstance(job.job.model, Model):
        raise InfeasibleError(f"training.{name}: only decoder-only transformers have plans to search among")
    generation_s = job.step().generation_s  # whatever the plan
    refused: Counter[str] = Counter()
    found: list[_Candidate] = []
    number = 0
    for number, plan in enumerate(_plans(job, job.plan, space or StrategySpace()), 1):
        memory = rank_memory(plan, job.software, job.hardware.memory_bytes)
        overflowing = memory.overflowing_term()
        if overflowing is not None:
            refused[overflowing] += 1
            continue
        step = training_step(plan, job.hardware, job.software).after_generation(generation_s)
        found.append(_Candidate(step.total_s, memory.total_bytes, number, step, plan, memory))
    if not found:
        reasons = ", ".join(f"{term} {count}" for term, count in refused.most_common())
        raise InfeasibleError(
            f"training.{name}: none of {number} plans fits in memory ({reasons or 'no sizes divide'}): "
            "use more accelerators, a smaller batch, or offloading"
        )
    best = _fastest(scenario, job, found, limit)
    return Ranking(tuple(one.strategy(name) for one in best), number, dict(refused))


class _Candidate(NamedTuple):
    """A plan that fits; the order is that of the ranking."""

    step_s: float
    num_bytes: float
    number: int
    step: TrainingStep
    plan: TrainingPlan
    memory: RankMemory

    def strategy(self, name: str) -> Strategy:
        """What is told of it."""
        return Strategy(self.plan, _settings(self.plan, name), self.step_s, self.step.mfu_frac, self.memory)


def _fastest(
    scenario: Scenario, job: TrainingDeployment, found: list[_Candidate], limit: int
) -> list[_Candidate]:
    """The fastest, fastest first, on the cluster's fabric and with the samples that its stores deliver.

    A step is no faster there than undisturbed, so that plans need not be looked at once undisturbed steps
    alone take longer than those of the best so far.
    """
    best: list[_Candidate] = []
    for one in sorted(found):
        if len(best) == limit and one.step_s > best[-1].step_s:
            break
        step = fed_step(scenario, _planned(job, one)).step
        best = sorted([*best, one._replace(step_s=step.total_s, step=step)])[:limit]
    return best


def _planned(job: TrainingDeployment, one: _Candidate) -> TrainingDeployment:
    """The job by another plan, as far as its steps go."""

    def time_of(condition: StepCondition) -> TrainingStep:
        if condition == UNDISTURBED:
            return one.step
        bytes_per_token = job.input_bytes_per_token
        step = training_step(
            one.plan, job.hardware, job.software, condition, input_bytes_per_token=bytes_per_token
        )
        return step.after_generation(one.step.generation_s)

    patterns = scale_out_patterns(one.plan, job.software, job.hardware.network)
    return replace(job, plan=one.plan, scale_out=patterns, time_of=time_of)


def training_job_named(scenario: Scenario, name: str | None) -> str:
    """The name of a training job of the scenario; of its only one, if none is given.

    Raises ScenarioError where there is no such job, or a choice among several.
    """
    names = tuple(scenario.training)
    if name is None and len(names) == 1:
        return names[0]
    if name in names and name is not None:
        return name
    if not names:
        raise ScenarioError(Problem("the scenario trains nothing", "training", remedy="Add a training job"))
    if name is None:
        raise ScenarioError(
            Problem("several training jobs", "training", remedy=f"Name one of {', '.join(names)} (--job)")
        )
    raise ScenarioError(Problem("no training job of that name", "training", name, nearest(name, names)))


def _plans(job: TrainingDeployment, base: TrainingPlan, space: StrategySpace) -> Iterator[TrainingPlan]:
    """Every plan of the space whose sizes divide."""
    for tensor, pipeline, context in _sizes(base, space, job.hardware.num_per_node):
        data = base.num_accelerators // (tensor * pipeline * context)
        for expert in _experts(base, space, tensor * context * data):
            for micro in space.micro:
                if base.num_sequences % (data * micro):
                    continue
                num_micro_batches = base.num_sequences // (data * micro)
                for chunks in _chunks(base, space, pipeline, num_micro_batches):
                    sized = replace(
                        base,
                        tensor=tensor,
                        pipeline=pipeline,
                        context=context,
                        data=data,
                        expert=expert,
                        expert_tensor=1,
                        micro_sequences=micro,
                        virtual_stages=chunks,
                        schedule=Interleaved() if chunks > 1 else OneForwardOneBackward(),
                        has_sequence_parallelism=tensor > 1,
                        num_shards=None,
                    )
                    yield from _choices(sized, space, job.software.has_flash_attention)


def _sizes(base: TrainingPlan, space: StrategySpace, num_per_node: int) -> Iterator[tuple[int, int, int]]:
    shape = base.shape
    for tensor in space.tensor:
        if shape.num_heads % tensor or tensor > num_per_node:
            continue
        for pipeline in space.pipeline:
            if pipeline > shape.num_layers:
                continue
            for context in space.context:
                ranks = tensor * pipeline * context
                if base.num_accelerators % ranks == 0 and base.num_sequence_tokens % (2 * context) == 0:
                    yield tensor, pipeline, context


def _experts(base: TrainingPlan, space: StrategySpace, num_stage_ranks: int) -> Iterator[int]:
    experts = base.shape.experts
    if experts is None:
        yield 1
        return
    for size in space.expert:
        if experts.num_experts % size == 0 and num_stage_ranks % size == 0:
            yield size


def _chunks(base: TrainingPlan, space: StrategySpace, pipeline: int, num_micro_batches: int) -> Iterator[int]:
    """Chunks per stage: one, and more where micro-batches come in whole rounds and layers divide.

    Embedding and head may take the place of a layer: 126 layers make 128 chunks.
    """
    yield 1
    if pipeline == 1 or num_micro_batches % pipeline:
        return
    layers = base.shape.num_layers
    per_stage = -(-layers // pipeline)
    for chunks in range(2, min(space.max_virtual_stages, per_stage) + 1):
        if per_stage % chunks == 0 and per_stage * pipeline - layers <= _SPARE_LAYERS:
            yield chunks


def _choices(plan: TrainingPlan, space: StrategySpace, has_flash_attention: bool) -> Iterator[TrainingPlan]:
    for sharding in space.sharding if plan.num_gradient_ranks > 1 else space.sharding[:1]:
        if sharding is Sharding.FULL and plan.pipeline > 1:
            continue  # weights would stay gathered all the while: no gain over sharding the optimiser
        for recompute in space.recompute:
            if recompute is Recompute.SELECTIVE and has_flash_attention:
                continue  # the kernel recomputes the attention core anyway: as without
            yield replace(plan, sharding=sharding, recompute=recompute)


def _settings(plan: TrainingPlan, name: str) -> dict[str, object]:
    """What a scenario sets to train by this plan."""
    sizes: dict[str, object] = {
        "tensor": plan.tensor,
        "pipeline": plan.pipeline,
        "context": plan.context,
        "data": plan.data,
        "expert": plan.expert,
        "virtual_stages": plan.virtual_stages,
    }
    settings = {f"training.{name}.parallelism.{key}": value for key, value in sizes.items()}
    settings[f"training.{name}.batch.micro"] = plan.micro_sequences
    settings[f"training.{name}.recompute"] = str(plan.recompute)
    settings[f"training.{name}.sharding"] = str(plan.sharding)
    return settings
