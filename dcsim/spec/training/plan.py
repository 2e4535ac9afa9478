"""From a training job to its plan: sizes worked out, defaults filled in."""

from __future__ import annotations

from dataclasses import replace

from dcsim.catalog.model import Model
from dcsim.errors import InfeasibleError
from dcsim.formulas.training.choices import OPTIMIZERS
from dcsim.formulas.training.plan import Adapters, Compression, Offload, TrainingPlan
from dcsim.plugins import policy_class
from dcsim.policies.pipeline_schedule import PipelineSchedule
from dcsim.spec.cluster import Cluster
from dcsim.spec.training.job import SCHEDULES, JobKind, TrainingJob

_FROZEN_BYTES = {"bf16": 2.0, "fp8": 1.0, "nf4": 0.5 + 1 / 64 * 1.0 + 1 / 64 / 256 * 4.0}
"""Per frozen weight; nf4 has an 8-bit scale per block of 64, and one of 32 bits per 256 of them (double
quantisation, Dettmers et al., "QLoRA", 2023, arXiv:2305.14314, section 3)."""


def num_job_accelerators(job: TrainingJob, cluster: Cluster) -> int:
    """Accelerators of one trial of the job: as asked for, else the whole cluster's."""
    if job.num_accelerators is not None:
        return job.num_accelerators
    num_nodes = cluster.num_nodes if job.num_nodes is None else job.num_nodes
    return num_nodes * cluster.node.num_accelerators


def num_data_parallel(job: TrainingJob, cluster: Cluster) -> int:
    """Replicas: as asked for, else what the accelerators give; 0 if not even one fits."""
    sizes = job.parallelism
    if sizes.data is not None:
        return sizes.data
    return num_job_accelerators(job, cluster) // (sizes.tensor * sizes.pipeline * sizes.context)


def num_micro_sequences(job: TrainingJob, data: int) -> int:
    """Sequences that each of so many replicas takes at once: as asked for, else 1.

    Models given by what a sample costs have no pipeline to fill: their replicas take all they have at once.
    """
    if job.batch.micro is not None:
        return job.batch.micro
    return 1 if isinstance(job.model, Model) else max(1, job.batch.sequences // max(data, 1))


def pipeline_schedule(job: TrainingJob) -> PipelineSchedule:
    """The schedule asked for; else interleaved with virtual stages, 1F1B without."""
    asked = job.parallelism.schedule
    if asked is not None:
        return asked
    name = "interleaved" if job.parallelism.virtual_stages > 1 else "one_forward_one_backward"
    schedule = policy_class(SCHEDULES, name)()
    assert isinstance(schedule, PipelineSchedule)
    return schedule


def training_plan(job: TrainingJob, cluster: Cluster, name: str) -> TrainingPlan:
    """The plan of a job on a decoder-only transformer.

    Raises InfeasibleError if the cluster is too small for it.
    """
    assert isinstance(job.model, Model)
    sizes, batch = job.parallelism, job.batch
    has_parts = sizes.has_sequence_parallelism
    plan = TrainingPlan(
        shape=job.model.shape,
        num_sequences=batch.sequences,
        num_sequence_tokens=batch.tokens or job.model.max_context_tokens,
        schedule=pipeline_schedule(job),
        micro_sequences=num_micro_sequences(job, num_data_parallel(job, cluster)),
        tensor=sizes.tensor,
        pipeline=sizes.pipeline,
        data=num_data_parallel(job, cluster),
        context=sizes.context,
        expert=sizes.expert,
        expert_tensor=sizes.expert_tensor,
        virtual_stages=sizes.virtual_stages,
        has_sequence_parallelism=sizes.tensor > 1 if has_parts is None else has_parts,
        num_shards=sizes.num_shards,
    )
    _require_accelerators(plan, cluster, name)
    return _with_choices(plan, job)


def _with_choices(plan: TrainingPlan, job: TrainingJob) -> TrainingPlan:
    """The plan with what a job chooses beside its sizes."""
    return replace(
        plan,
        recompute=job.recompute,
        num_recomputed_layers=job.num_recomputed_layers,
        recomputed_modules=frozenset(job.recomputed_modules),
        sharding=job.sharding,
        linear=job.precision,
        optimizer=OPTIMIZERS[job.optimizer],
        imbalance=job.imbalance,
        max_routed_nodes=job.max_routed_nodes,
        num_logit_heads=job.num_logit_heads,
        has_dropout=job.software.has_dropout if job.dropout is None else job.dropout,
        adapters=_adapters(job),
        teacher=None if job.teacher is None else job.teacher.shape,
        compression=_compression(job),
        offload=_offload(job),
    )


def _require_accelerators(plan: TrainingPlan, cluster: Cluster, name: str) -> None:
    num_there = cluster.num_nodes * cluster.node.num_accelerators
    if plan.num_accelerators > num_there:
        num_nodes = -(-plan.num_accelerators // cluster.node.num_accelerators)
        raise InfeasibleError(
            f"training.{name}: needs {plan.num_accelerators} accelerators, the cluster has {num_there}: use "
            f"at least {num_nodes} nodes, or less parallelism"
        )


def _adapters(job: TrainingJob) -> Adapters | None:
    asked = job.adapters
    if asked is None:
        return Adapters(rank=16) if job.kind is JobKind.LORA else None
    return Adapters(
        asked.rank, asked.covers_mlp, _FROZEN_BYTES[asked.base_precision], asked.num_trained_layers
    )


def _compression(job: TrainingJob) -> Compression:
    asked = job.compression
    return Compression() if asked is None else Compression(asked.ratio, asked.codec_bytes)


def _offload(job: TrainingJob) -> Offload:
    asked = job.offload
    return Offload(
        optimizer_frac=asked.optimizer_frac,
        activation_frac=asked.activation_frac,
        weight_frac=asked.weight_frac,
        goes_to_nvme=asked.to == "nvme",
        update_on_host=asked.update == "host",
    )
