"""The optimiser's update: memory traffic, and what offloading moves over the host's link."""

from __future__ import annotations

from typing import NamedTuple

from dcsim.formulas.training.choices import Sharding
from dcsim.formulas.training.hardware import TrainingHardware
from dcsim.formulas.training.parameters import num_trained_parameters
from dcsim.formulas.training.plan import TrainingPlan
from dcsim.formulas.training.software import SoftwareFacts

HOST_UPDATE_BYTES_PER_S = 20e9
"""Optimiser traffic that a node's processors manage for each accelerator: an estimate, 160 GB/s of the memory
bandwidth of two sockets over eight accelerators."""

NORM_BYTES = 4.0  # gradients are read once for the global norm, in 32 bits


class UpdateTime(NamedTuple):
    """Time of the update on the accelerator, and of moving what is kept outside it."""

    optimizer_s: float
    offload_s: float


def num_updated_parameters(plan: TrainingPlan) -> float:
    """Parameters that one rank updates: its own, or its share of those that data-parallel ranks share out."""
    dense, experts = num_trained_parameters(plan)
    if plan.sharding is Sharding.NONE:
        return dense + experts
    return dense / num_shards(plan) + experts / min(num_shards(plan), plan.num_expert_copies)


def num_shards(plan: TrainingPlan) -> int:
    """Ranks among which optimiser state, and what else is sharded, is spread."""
    if plan.sharding is Sharding.NONE:
        return 1
    return (
        plan.num_gradient_ranks if plan.num_shards is None else min(plan.num_shards, plan.num_gradient_ranks)
    )


def update_time(plan: TrainingPlan, hardware: TrainingHardware, software: SoftwareFacts) -> UpdateTime:
    """Time of the optimiser's update of one step, once all gradients are there.

    On the accelerator it moves ``traffic_bytes`` per parameter, and reads gradients once more for their
    norm; software has further passes over gradients and weights. What is offloaded is updated by the host,
    which gets the gradients and sends 16-bit weights back (Ren et al., "ZeRO-Offload", 2021,
    arXiv:2101.06840, section 4), or comes to the accelerator and returns.
    """
    updated, offload = num_updated_parameters(plan), plan.offload
    dense, experts = num_trained_parameters(plan)
    on_device = updated * (1.0 - offload.optimizer_frac)
    traffic = on_device * plan.optimizer.traffic_bytes
    traffic += NORM_BYTES * (updated if plan.sharding is not Sharding.NONE else dense + experts)
    traffic += software.gradient_pass_bytes * (dense + experts) + software.update_pass_bytes * on_device
    optimizer_s = traffic / hardware.streaming_bytes_per_s / software.efficiency_frac
    outside = updated * offload.optimizer_frac
    if outside <= 0.0:
        return UpdateTime(optimizer_s, 0.0)
    bytes_per_s = hardware.host_bytes_per_s
    if offload.goes_to_nvme:
        bytes_per_s = min(bytes_per_s, hardware.nvme_bytes_per_s)
    if offload.update_on_host:
        moved_s = outside * (software.gradient_bytes + 2.0) / hardware.host_bytes_per_s
        stored_s = 0.0
        if offload.goes_to_nvme:
            stored_s = outside * 2.0 * (plan.optimizer.state_bytes + 4.0) / hardware.nvme_bytes_per_s
        host_s = outside * plan.optimizer.traffic_bytes / HOST_UPDATE_BYTES_PER_S
        return UpdateTime(optimizer_s, moved_s + max(host_s, stored_s))
    state = plan.optimizer.state_bytes + 4.0
    device_s = outside * plan.optimizer.traffic_bytes / hardware.streaming_bytes_per_s
    return UpdateTime(optimizer_s + device_s, outside * 2.0 * state / bytes_per_s)
