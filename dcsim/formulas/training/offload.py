"""Activations and weights kept outside the accelerator: what their transfers add to a step."""

from __future__ import annotations

from dcsim.formulas.training.activations import layer_activation_bytes
from dcsim.formulas.training.hardware import TrainingHardware
from dcsim.formulas.training.parameters import stage_parameters
from dcsim.formulas.training.plan import TrainingPlan
from dcsim.formulas.training.products import wide_bytes
from dcsim.formulas.training.schedule import MicroBatchTime
from dcsim.formulas.training.software import SoftwareFacts


def transfer_s(
    plan: TrainingPlan, hardware: TrainingHardware, software: SoftwareFacts, time: MicroBatchTime
) -> float:
    """Exposed time of a step's transfers of activations and weights.

    Activations leave during the forward pass and come back during the backward pass; weights come in both.
    Each pass lasts at least as long as its transfers: max(0, t_transfer - t_pass), for every micro-batch.
    """
    offload = plan.offload
    if offload.activation_frac <= 0.0 and offload.weight_frac <= 0.0:
        return 0.0
    kept = layer_activation_bytes(plan, software) * plan.num_stage_layers * offload.activation_frac
    held = stage_parameters(plan)
    weights = held.total * wide_bytes(plan) * offload.weight_frac
    bytes_per_s = hardware.host_bytes_per_s
    if offload.goes_to_nvme:
        bytes_per_s = min(bytes_per_s, hardware.nvme_bytes_per_s)
    moved_s = (kept + weights) / bytes_per_s
    per_micro_batch_s = max(0.0, moved_s - time.forward_s) + max(0.0, moved_s - time.backward_s)
    return plan.num_micro_batches * per_micro_batch_s
