"""The closed forms behind a training job: transformers by their plan, other models by a sample's cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from dcsim.catalog.model import Model
from dcsim.catalog.node import Node
from dcsim.errors import InfeasibleError
from dcsim.formulas.checkpoint import SavedBytes, num_checkpoint_bytes
from dcsim.formulas.network.group_network import Collective
from dcsim.formulas.training.breakdown import TrainingStep
from dcsim.formulas.training.choices import MASTER_BYTES, OPTIMIZERS
from dcsim.formulas.training.fixed_cost import FixedCostPlan, fixed_cost_memory, fixed_cost_step
from dcsim.formulas.training.flops import step_flops
from dcsim.formulas.training.hardware import TrainingHardware
from dcsim.formulas.training.memory import RankMemory, rank_memory
from dcsim.formulas.training.plan import TrainingPlan
from dcsim.formulas.training.products import wide_bytes
from dcsim.formulas.training.software import SoftwareFacts
from dcsim.formulas.training.step import StepCondition, training_step
from dcsim.formulas.training.totals import num_job_parameters, num_job_trained_parameters
from dcsim.formulas.training.traffic import Direction, Pattern, scale_out_patterns
from dcsim.spec.cluster import Cluster
from dcsim.spec.training.job import TrainingJob
from dcsim.spec.training.plan import num_data_parallel, num_micro_sequences, training_plan
from dcsim.spec.training.sample_preparation import prepared_bytes_per_s

DEFAULT_BYTES_PER_TOKEN = 4.0  # an index of the vocabulary in 32 bits
_NARROWEST_WEIGHT_BYTES = 2.0  # narrower products take their weights from 16-bit ones


@dataclass(frozen=True, slots=True)
class JobForm:
    """What a closed form says of a job; see the fields of ``TrainingDeployment``."""

    plan: TrainingPlan | None
    num_accelerators: int
    tokens_per_step: int
    model_flops: float
    hardware_flops: float
    num_weight_bytes: float
    num_checkpoint_bytes: float
    scale_out: tuple[Pattern, ...]
    input_bytes_per_token: float
    memory: RankMemory
    time_of: Callable[[StepCondition], TrainingStep]


def transformer_form(
    job: TrainingJob, cluster: Cluster, hardware: TrainingHardware, software: SoftwareFacts, name: str
) -> JobForm:
    """A decoder-only transformer under all kinds of parallelism."""
    plan = training_plan(job, cluster, name)
    flops = step_flops(plan, has_flash_attention=software.has_flash_attention)
    saved = _saved(wide_bytes(plan), plan.optimizer.state_bytes, software)
    input_bytes = _input_bytes_per_token(job, plan.num_sequence_tokens)
    limit = _preparation_limit(job, plan.num_accelerators, cluster.node)

    def time_of(condition: StepCondition) -> TrainingStep:
        return training_step(plan, hardware, software, limit(condition), input_bytes_per_token=input_bytes)

    return JobForm(
        plan=plan,
        num_accelerators=plan.num_accelerators,
        tokens_per_step=plan.num_step_tokens,
        model_flops=flops.model,
        hardware_flops=flops.hardware,
        num_weight_bytes=num_job_parameters(plan) * wide_bytes(plan),
        num_checkpoint_bytes=num_checkpoint_bytes(num_job_trained_parameters(plan), saved),
        scale_out=scale_out_patterns(plan, software, hardware.network),
        input_bytes_per_token=input_bytes,
        memory=rank_memory(plan, software, hardware.memory_bytes),
        time_of=time_of,
    )


def fixed_cost_form(
    job: TrainingJob, cluster: Cluster, hardware: TrainingHardware, software: SoftwareFacts, name: str
) -> JobForm:
    """A model by what a sample costs, under data parallelism alone."""
    assert not isinstance(job.model, Model)
    workload, plan = job.model.workload, _fixed_cost_plan(job, cluster, name)
    gradients = workload.num_parameters * software.reduced_bytes
    sent = plan.group.sent_bytes(Collective.ALL_REDUCE, gradients, hardware.num_per_node)
    num_domains = plan.group.num_domains(hardware.num_per_node)
    saved = _saved(plan.weight_bytes, plan.optimizer.state_bytes, software)
    flops, table_bytes = (
        plan.num_samples * workload.training_flops,
        workload.num_table_parameters * plan.weight_bytes,
    )
    input_bytes = _input_bytes_per_token(job, workload.num_tokens)
    return JobForm(
        plan=None,
        num_accelerators=plan.data,
        tokens_per_step=plan.num_samples * workload.num_tokens,
        model_flops=flops,
        hardware_flops=flops,
        num_weight_bytes=workload.num_parameters * plan.weight_bytes + table_bytes,
        num_checkpoint_bytes=num_checkpoint_bytes(workload.num_parameters, saved) + table_bytes,
        scale_out=(Pattern(Direction.NEXT, num_domains, 1, sent),) if sent else (),
        input_bytes_per_token=input_bytes,
        memory=fixed_cost_memory(plan, software, hardware.memory_bytes),
        time_of=_fixed_cost_time(job, plan, hardware, cluster.node, input_bytes),
    )


def _fixed_cost_plan(job: TrainingJob, cluster: Cluster, name: str) -> FixedCostPlan:
    assert not isinstance(job.model, Model)
    data = num_data_parallel(job, cluster)
    plan = FixedCostPlan(
        workload=job.model.workload,
        num_samples=job.batch.sequences,
        micro_samples=num_micro_sequences(job, data),
        data=data,
        sharding=job.sharding,
        optimizer=OPTIMIZERS[job.optimizer],
        weight_bytes=max(_NARROWEST_WEIGHT_BYTES, job.precision.num_bytes),
    )
    num_there = cluster.num_nodes * cluster.node.num_accelerators
    if plan.data > num_there:
        raise InfeasibleError(f"training.{name}: needs {plan.data} accelerators, the cluster has {num_there}")
    return plan


def _fixed_cost_time(
    job: TrainingJob,
    plan: FixedCostPlan,
    hardware: TrainingHardware,
    node: Node,
    input_bytes_per_token: float,
) -> Callable[[StepCondition], TrainingStep]:
    limit = _preparation_limit(job, plan.data, node)
    per_step = plan.num_samples * plan.workload.num_tokens * input_bytes_per_token
    software = job.software.facts

    def time_of(condition: StepCondition) -> TrainingStep:
        condition = limit(condition)
        rate, num_left = condition.input_bytes_per_s, condition.num_data_parallel
        network = replace(hardware.network, scale_out_share_frac=condition.scale_out_share_frac)
        return fixed_cost_step(
            plan if num_left is None else replace(plan, data=num_left),
            replace(hardware, network=network),
            software,
            input_s=0.0 if rate is None else per_step / rate,
            slowest_rank_factor=condition.slowest_rank_factor,
        )

    return time_of


def _saved(weight_bytes: float, state_bytes: float, software: SoftwareFacts) -> SavedBytes:
    master = MASTER_BYTES if weight_bytes < MASTER_BYTES and software.has_master_weights else 0.0
    return SavedBytes(weight_bytes, master, state_bytes)


def _input_bytes_per_token(job: TrainingJob, tokens_per_sample: int) -> float:
    if job.dataset.bytes_per_sample is not None:
        return job.dataset.bytes_per_sample / tokens_per_sample
    return DEFAULT_BYTES_PER_TOKEN if job.dataset.bytes_per_token is None else job.dataset.bytes_per_token


def _preparation_limit(
    job: TrainingJob, num_accelerators: int, node: Node
) -> Callable[[StepCondition], StepCondition]:
    """Samples arrive no faster than the nodes' processors prepare them, however fast they are read."""
    per_node = prepared_bytes_per_s(job.dataset, node)
    if per_node is None:
        return lambda condition: condition
    prepared = per_node * -(-num_accelerators // node.num_accelerators)

    def limited(condition: StepCondition) -> StepCondition:
        rate = condition.input_bytes_per_s
        return replace(condition, input_bytes_per_s=prepared if rate is None else min(rate, prepared))

    return limited
