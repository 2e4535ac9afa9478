"""Checks of training jobs across fields: sizes that do not divide, more ranks than accelerators."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from dcsim.catalog.model import Model
from dcsim.errors import Problem
from dcsim.formulas.training.choices import Recompute, RecomputedModule
from dcsim.formulas.training.schedule import PipelineSize
from dcsim.policies.pipeline_schedules.dualpipe import Dualpipe
from dcsim.spec.document import Document
from dcsim.spec.training.job import JobKind, TrainingJob
from dcsim.spec.training.plan import (
    num_data_parallel,
    num_job_accelerators,
    num_micro_sequences,
    pipeline_schedule,
)
from dcsim.strict_yaml import YamlPath

if TYPE_CHECKING:
    from dcsim.spec.scenario import Scenario


_SPARE_CHUNKS = (
    2  # Llama 3 405B: 126 layers in 128 chunks, the first and the last hold embedding and head alone
)


def training_problems(scenario: Scenario, source: Document) -> list[Problem]:
    """Every contradiction in the training jobs of a scenario whose fields are valid one by one."""
    problems: list[Problem] = []
    for name, job in scenario.training.items():
        path = ("training", name)
        problems += _size_problems(scenario, job, source, path)
        problems += _idle_choice_problems(job, source, path)
        problems += _batch_problems(scenario, job, source, path)
        problems += _kind_problems(job, source, path)
        problems += _length_problems(job, source, path)
        problems += _preparation_problems(scenario, job, source, path)
        if isinstance(job.model, Model):
            problems += _model_problems(scenario, job, job.model, source, path)
        else:
            problems += _plain_problems(job, source, path)
    return problems


def _idle_choice_problems(job: TrainingJob, source: Document, path: YamlPath) -> Iterator[Problem]:
    """Choices that would be without effect."""
    if job.num_recomputed_layers is not None and job.recompute is not Recompute.FULL:
        message = f"recompute is {job.recompute}: layers are counted under full recomputation alone"
        remedy = "Set recompute: full, or leave recompute_layers out"
        yield source.problem((*path, "recompute_layers"), message, job.num_recomputed_layers, remedy)
    sizes = job.parallelism
    if isinstance(sizes.schedule, Dualpipe) and sizes.pipeline == sizes.virtual_stages == 1:
        at = (*path, "parallelism", "schedule")
        message, remedy = "two directions need a pipeline", "Leave it out, or raise pipeline"
        yield source.problem(at, message, "dualpipe", remedy)


def _size_problems(
    scenario: Scenario, job: TrainingJob, source: Document, path: YamlPath
) -> Iterator[Problem]:
    """Ranks against accelerators."""
    sizes, cluster = job.parallelism, scenario.cluster
    per_replica = sizes.tensor * sizes.pipeline * sizes.context
    num_asked, num_there = (
        num_job_accelerators(job, cluster),
        cluster.num_nodes * cluster.node.num_accelerators,
    )
    if job.num_accelerators is not None and job.num_nodes is not None:
        message = "num_accelerators and num_nodes exclude each other"
        yield source.problem((*path, "num_nodes"), message, job.num_nodes, "Remove one")
    if num_asked > num_there:
        key = "num_nodes" if job.num_accelerators is None else "num_accelerators"
        message = f"more accelerators than the cluster's {num_there}"
        yield source.problem((*path, key), message, num_asked, "Enlarge cluster.num_nodes, or ask for fewer")
    if num_asked % per_replica and sizes.data is None:
        message = (
            f"{num_asked} accelerators are no multiple of tensor x pipeline x context = {per_replica}, the "
            "ranks of one replica"
        )
        yield source.problem((*path, "parallelism"), message, remedy="Change a size, or num_accelerators")
    elif sizes.data is not None and per_replica * sizes.data > num_asked:
        message = (
            f"tensor x pipeline x context x data = {per_replica * sizes.data} ranks, more than the job's "
            f"{num_asked} accelerators"
        )
        remedy = "Leave data out, lessen a size, or ask for more accelerators"
        yield source.problem((*path, "parallelism"), message, remedy=remedy)
    if (
        sizes.tensor > 1
        and cluster.node.num_accelerators % sizes.tensor
        and sizes.tensor % (cluster.node.num_accelerators)
    ):
        message = (
            f"must divide, or be a multiple of, the {cluster.node.num_accelerators} accelerators of a node"
        )
        yield source.problem((*path, "parallelism", "tensor"), message, sizes.tensor)


def _batch_problems(
    scenario: Scenario, job: TrainingJob, source: Document, path: YamlPath
) -> Iterator[Problem]:
    """The batch against the replicas, and micro-batches against the schedule."""
    data, batch = num_data_parallel(job, scenario.cluster), job.batch
    if data == 0:
        return
    at, micro = (*path, "batch", "sequences"), num_micro_sequences(job, data)
    if batch.sequences % (data * micro):
        message = f"must be a multiple of data x micro = {data} x {micro}"
        lower = batch.sequences // (data * micro) * data * micro
        remedy = f"Use for example {lower + data * micro}" + (f" or {lower}" if lower else "")
        yield source.problem(at, message, batch.sequences, remedy)
        return
    num_micro_batches = batch.sequences // (data * micro)
    sizes = job.parallelism
    if sizes.pipeline > 1:
        size = PipelineSize(sizes.pipeline, sizes.virtual_stages, num_micro_batches)
        for message, remedy in pipeline_schedule(job).problems(size):
            yield source.problem((*path, "parallelism"), message, remedy=remedy)
    elif sizes.virtual_stages > 1:
        message = "virtual stages need a pipeline"
        at = (*path, "parallelism", "virtual_stages")
        yield source.problem(at, message, sizes.virtual_stages, "Set it to 1, or raise pipeline")
    tokens = batch.tokens
    if tokens is not None and tokens % (2 * sizes.context if sizes.context > 1 else 1):
        message = (
            f"must be a multiple of 2 x context = {2 * sizes.context}, so that the causal work is balanced"
        )
        yield source.problem((*path, "batch", "tokens"), message, tokens)


def _preparation_problems(
    scenario: Scenario, job: TrainingJob, source: Document, path: YamlPath
) -> Iterator[Problem]:
    """A rate by core needs cores. A node of an unknown processor is told elsewhere."""
    rate, node = job.dataset.core_preprocessing_bytes_per_s, scenario.cluster.node
    if rate is not None and node.num_cpus == 0:
        message, remedy = f"{node.name} has no processors of its own", "Give preprocessing_rate, of a node"
        yield source.problem((*path, "dataset", "preprocessing_rate_per_core"), message, rate, remedy)


def _module_problems(job: TrainingJob, model: Model, source: Document, path: YamlPath) -> Iterator[Problem]:
    """Modules computed again by themselves must be there, and not be computed again with the whole layer."""
    at, chosen = (*path, "recompute_modules"), list(job.recomputed_modules)
    if chosen and job.recompute is Recompute.FULL:
        yield source.problem(at, "full recomputation has them all", chosen, "Leave one of the two out")
    parts = (
        (RecomputedModule.EXPERT_ACTIVATION, "experts", model.shape.experts),
        (RecomputedModule.LATENT_UP, "latent attention", model.shape.latent),
    )
    for module, what, part in parts:
        if module in chosen and part is None:
            yield source.problem(at, f"the model has no {what}", module.value, "Leave it out")


def _model_problems(
    scenario: Scenario, job: TrainingJob, model: Model, source: Document, path: YamlPath
) -> Iterator[Problem]:
    """Parallelism against the sizes of a transformer."""
    sizes, shape, at = job.parallelism, model.shape, (*path, "parallelism")
    if sizes.pipeline * sizes.virtual_stages > shape.num_layers + _SPARE_CHUNKS:
        message = (
            f"pipeline x virtual_stages = {sizes.pipeline * sizes.virtual_stages} chunks, but the model has "
            f"{shape.num_layers} layers"
        )
        yield source.problem((*at, "pipeline"), message, sizes.pipeline, "Use fewer stages")
    if shape.num_heads % sizes.tensor:
        message = f"must divide the model's {shape.num_heads} attention heads"
        yield source.problem((*at, "tensor"), message, sizes.tensor)
    if job.num_recomputed_layers is not None and job.num_recomputed_layers > shape.num_layers:
        message = f"must be at most the model's {shape.num_layers} layers"
        yield source.problem((*path, "recompute_layers"), message, job.num_recomputed_layers)
    yield from _module_problems(job, model, source, path)
    if job.batch.tokens is not None and job.batch.tokens > model.max_context_tokens:
        message = f"must be at most the model's longest context, {model.max_context_tokens}"
        remedy = "Shorten it, or write {base: MODEL, max_context_tokens: ...}"
        yield source.problem((*path, "batch", "tokens"), message, job.batch.tokens, remedy)
    if sizes.has_sequence_parallelism and sizes.tensor == 1:
        message = "sequence parallelism splits over tensor ranks, of which there is one"
        yield source.problem((*at, "sequence"), message, remedy="Remove it, or raise tensor")
    yield from _expert_problems(job, model, num_data_parallel(job, scenario.cluster), source, path)


def _expert_problems(
    job: TrainingJob, model: Model, num_data: int, source: Document, path: YamlPath
) -> Iterator[Problem]:
    sizes, experts, at = job.parallelism, model.shape.experts, (*path, "parallelism")
    if experts is None:
        given = {"expert": sizes.expert, "expert_tensor": sizes.expert_tensor}
        for key, value in given.items():
            if value > 1:
                yield source.problem((*at, key), "must be 1: the model has no experts", value)
        if job.imbalance > 1.0:
            yield source.problem((*path, "imbalance"), "must be 1: the model has no experts", job.imbalance)
        return
    if experts.num_experts % sizes.expert:
        message = f"must divide the model's {experts.num_experts} experts"
        yield source.problem((*at, "expert"), message, sizes.expert)
    if experts.expert_ffn_size % sizes.expert_tensor:
        message = f"must divide the experts' width, {experts.expert_ffn_size}"
        yield source.problem((*at, "expert_tensor"), message, sizes.expert_tensor)
    ranks = sizes.tensor * sizes.context * num_data
    if ranks % (sizes.expert * sizes.expert_tensor):
        message = (
            f"expert x expert_tensor = {sizes.expert * sizes.expert_tensor} must divide the {ranks} "
            "ranks of a pipeline stage (tensor x context x data)"
        )
        yield source.problem((*at, "expert"), message, sizes.expert)


def _plain_problems(job: TrainingJob, source: Document, path: YamlPath) -> Iterator[Problem]:
    """Models that are no decoder are trained by data parallelism alone."""
    sizes = job.parallelism
    for key in ("tensor", "pipeline", "context", "expert", "expert_tensor", "virtual_stages"):
        if getattr(sizes, key) > 1:
            message = "must be 1: models of this kind are trained by data parallelism alone"
            yield source.problem((*path, "parallelism", key), message, getattr(sizes, key))


def _kind_problems(job: TrainingJob, source: Document, path: YamlPath) -> Iterator[Problem]:
    """What a kind of job needs, and what belongs to other kinds."""
    belongs = {"rollout": (JobKind.RL, job.rollout), "sweep": (JobKind.SWEEP, job.sweep)}
    for key, (kind, given) in belongs.items():
        if job.kind is kind and given is None:
            yield source.problem((*path, key), f"a job of kind {kind} needs it", remedy=f"Add {key}")
        elif job.kind is not kind and given is not None:
            yield source.problem((*path, key), f"belongs to kind {kind}", remedy=f"Set kind: {kind}")
    tokens, rollout = job.batch.tokens, job.rollout
    if tokens is not None and rollout is not None and rollout.prompt_tokens + rollout.output_tokens > tokens:
        message = f"must hold a prompt and its mean output, {rollout.prompt_tokens} + {rollout.output_tokens}"
        yield source.problem((*path, "batch", "tokens"), message, tokens, "Train on all that is generated")
    if job.adapters is not None and job.kind is JobKind.PRETRAIN:
        yield source.problem((*path, "adapters"), "belong to a tuning job", remedy="Set kind: lora")
    if job.adapters is not None and job.adapters.rank == 0 and job.adapters.num_trained_layers is None:
        yield source.problem(
            (*path, "adapters", "rank"), "nothing would be trained", 0, "Raise it, or give last_layers"
        )


def _length_problems(job: TrainingJob, source: Document, path: YamlPath) -> Iterator[Problem]:
    """How long the job goes on is said once."""
    given = {"tokens": job.tokens, "steps": job.steps, "epochs": job.epochs}
    named = [key for key, value in given.items() if value is not None]
    for key in named[1:]:
        yield source.problem(
            (*path, key), f"{named[0]} says already how long the job goes on", remedy="Keep one of them"
        )
    if job.epochs is not None and job.dataset_tokens is None:
        message = "epochs need the size of the data set"
        yield source.problem((*path, "dataset_tokens"), message, remedy="Add dataset_tokens")
