"""One optimiser step of a model given by what a sample costs: data parallelism alone, no layers."""

from __future__ import annotations

from dataclasses import dataclass, replace

from dcsim.formulas.network.group_collectives import Collective
from dcsim.formulas.power import power_rise_w
from dcsim.formulas.training.breakdown import StepCauses, TrainingStep
from dcsim.formulas.training.choices import MASTER_BYTES, Optimizer, Sharding
from dcsim.formulas.training.groups import RankGroup
from dcsim.formulas.training.hardware import TrainingHardware
from dcsim.formulas.training.memory import RankMemory
from dcsim.formulas.training.overlap import overlapped
from dcsim.formulas.training.software import SoftwareFacts
from dcsim.formulas.training.straggler import expected_maximum_frac
from dcsim.formulas.workload_shapes import WorkloadShape

_PASSES = 3.0  # forward, and two of the same size backward
_BACKWARD_FRAC = 2.0 / 3.0


@dataclass(frozen=True, slots=True)
class FixedCostPlan:
    """Replicas of one model, each with its part of the batch; embedding tables are spread over all."""

    workload: WorkloadShape
    num_samples: int  # of one optimiser step, over all replicas
    micro_samples: int
    data: int
    sharding: Sharding
    optimizer: Optimizer
    weight_bytes: float = 2.0

    @property
    def num_micro_batches(self) -> int:
        """Micro-batches of each replica in a step."""
        return max(1, -(-self.num_samples // (self.data * self.micro_samples)))

    @property
    def group(self) -> RankGroup:
        """All replicas."""
        return RankGroup(self.data, 1)

    @property
    def num_shards(self) -> int:
        """Replicas among which optimiser state, and what else is sharded, is spread."""
        return 1 if self.sharding is Sharding.NONE else self.data


def fixed_cost_step(
    plan: FixedCostPlan,
    hardware: TrainingHardware,
    software: SoftwareFacts,
    *,
    input_s: float = 0.0,
    slowest_rank_factor: float = 1.0,
) -> TrainingStep:
    """The time of one step: forward and twice that backward, gradients, tables' exchange, update.

    t = max(3 operations / (peak x share of large products), 6 activations / bandwidth) + launches for each
    micro-batch: what is kept is written once and read once in each of the three passes. ``input_s`` is the
    time in which the samples of a step arrive.
    """
    causes = _causes(plan, hardware, software)
    own_s = causes.compute_s + causes.memory_s + causes.launch_s
    jitter_frac = expected_maximum_frac(software.jitter_frac, plan.data)
    late_s = jitter_frac * causes.total_s + (slowest_rank_factor - 1.0) * own_s
    causes = replace(causes, straggler_s=late_s)
    stalled_s = max(0.0, input_s - causes.total_s)
    step_s = causes.total_s + stalled_s
    peak = plan.data * hardware.linear.peak_flops_per_s
    use_frac = plan.num_samples * plan.workload.training_flops / (peak * step_s)
    rise_w = power_rise_w(hardware.power, min(1.0, causes.memory_s / step_s), use_frac)
    return TrainingStep(
        **{f"{name}_s": value for name, value in causes.by_name().items() if name != "input"},
        input_s=stalled_s,
        num_tokens=float(plan.num_samples * plan.workload.num_tokens),
        mfu_frac=use_frac,
        hfu_frac=use_frac,
        accelerator_rise_w=float(rise_w),
    )


def _causes(plan: FixedCostPlan, hardware: TrainingHardware, software: SoftwareFacts) -> StepCauses:
    work, count, samples = plan.workload, plan.num_micro_batches, float(plan.micro_samples)
    ceiling, peak = hardware.linear.ceiling, hardware.linear.peak_flops_per_s
    compute_s = samples * work.training_flops / (peak * ceiling.compute_frac * software.efficiency_frac)
    traffic = _PASSES * 2.0 * samples * work.activation_bytes
    memory_s = max(0.0, traffic / hardware.streaming_bytes_per_s - compute_s)
    gradients = plan.workload.num_parameters * software.reduced_bytes
    data = overlapped(
        plan.group.time_s(Collective.ALL_REDUCE, hardware.network, gradients),
        _BACKWARD_FRAC * (compute_s + memory_s),
        software.overlap.gradients_frac,
        compute_slowdown_frac=software.overlap.compute_slowdown_frac,
    )
    exchange_s = plan.group.time_s(Collective.ALL_TO_ALL, hardware.network, samples * work.exchange_bytes)
    updated = plan.workload.num_parameters / plan.num_shards
    return StepCauses(
        compute_s=count * compute_s,
        memory_s=count * memory_s,
        launch_s=count * _PASSES * work.num_kernels * ceiling.launch_s,
        expert_s=2.0 * count * exchange_s,
        data_s=data.exposed_s,
        overlap_s=data.slowdown_s,
        optimizer_s=updated * plan.optimizer.traffic_bytes / hardware.streaming_bytes_per_s,
        host_s=software.step_host_s,
    )


def fixed_cost_memory(plan: FixedCostPlan, software: SoftwareFacts, capacity_bytes: float) -> RankMemory:
    """Memory of one replica; tables, with one state per row, are spread over all of them."""
    held, shards = plan.workload.num_parameters, plan.num_shards
    tables = plan.workload.num_table_parameters / plan.data
    master = MASTER_BYTES if plan.weight_bytes < MASTER_BYTES and software.has_master_weights else 0.0
    is_full = plan.sharding is Sharding.FULL
    activations = plan.micro_samples * plan.workload.activation_bytes
    return RankMemory(
        weight_bytes=(held / (shards if is_full else 1) + tables) * plan.weight_bytes,
        gradient_bytes=held
        * software.gradient_bytes
        / (shards if plan.sharding in (Sharding.FULL, Sharding.GRADIENTS) else 1),
        optimizer_bytes=held * (plan.optimizer.state_bytes + master) / shards,
        gathered_bytes=0.0,
        activation_bytes=activations,
        logit_bytes=0.0,
        reserved_bytes=software.reserved_bytes + software.fragmentation_frac * activations,
        capacity_bytes=capacity_bytes,
    )
