"""Bytes that accelerators send out of their scale-up domains in one step: the load on the fabric."""

from __future__ import annotations

from dcsim.formulas.group_network import GroupNetwork
from dcsim.formulas.training.choices import Recompute
from dcsim.formulas.training.communication import Messages, step_messages
from dcsim.formulas.training.plan import TrainingPlan
from dcsim.formulas.training.software import SoftwareFacts


def scale_out_bytes(plan: TrainingPlan, software: SoftwareFacts, network: GroupNetwork) -> float:
    """Bytes that the mean accelerator sends to other domains in one step; see ``RankGroup.sent_bytes``."""
    size = network.domain_size
    messages = step_messages(plan, software, size)
    again = 1.0 if plan.recompute is Recompute.FULL else 0.0
    layers = plan.shape.num_layers / plan.pipeline

    def sent(some: Messages) -> float:
        return sum(one.count * one.remote_bytes(size) for one in some)

    forward = (messages.tensor_forward, messages.context_forward, messages.expert_forward)
    backward = (messages.tensor_backward, messages.context_backward, messages.expert_backward)
    per_layer = (1.0 + again) * sum(sent(one) for one in forward) + sum(sent(one) for one in backward)
    per_layer += 2.0 * sent(messages.gather_layer) + sent(messages.scatter_layer)
    per_micro_batch = layers * per_layer
    if plan.pipeline > 1:
        boundaries = (plan.pipeline * plan.virtual_stages - 1) / plan.pipeline
        per_micro_batch += 2.0 * boundaries * sent(messages.send)
    once = sent(messages.reduce) + sent(messages.gather) + 2.0 * sent(messages.tied) / plan.pipeline
    return plan.num_micro_batches * per_micro_batch + once
