"""Bytes that accelerators send out of their scale-up domains in one step: the load on the fabric."""

from __future__ import annotations

from dcsim.formulas.group_network import Collective, GroupNetwork
from dcsim.formulas.training.choices import Recompute
from dcsim.formulas.training.communication import Messages, step_messages
from dcsim.formulas.training.groups import RankGroup
from dcsim.formulas.training.plan import TrainingPlan
from dcsim.formulas.training.software import SoftwareFacts


def scale_out_bytes(plan: TrainingPlan, software: SoftwareFacts, network: GroupNetwork) -> float:
    """Bytes that the mean accelerator sends to other domains in one step.

    Of a message S over n ranks, i of them in each of d domains: all-reduce 2 S (d - 1) / (d i), each of its
    halves half of that, all-to-all S (n - i) / n, and a send all of it, where the
    two ranks are in different domains.
    """
    size = network.domain_size
    messages = step_messages(plan, software, size)
    again = 1.0 if plan.recompute is Recompute.FULL else 0.0
    layers = plan.shape.num_layers / plan.pipeline

    def sent(some: Messages) -> float:
        return sum(one.count * sent_bytes(one.kind, one.group, one.num_bytes, size) for one in some)

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


def sent_bytes(kind: Collective, group: RankGroup, num_bytes: float, domain_size: int) -> float:
    """Bytes of one message that the mean rank of a group sends to other scale-up domains."""
    num_domains = group.num_domains(domain_size)
    if group.num_ranks <= 1 or num_domains <= 1:
        return 0.0
    inner = group.ranks_per_domain(domain_size)
    if kind is Collective.SEND:
        return num_bytes
    if kind is Collective.ALL_TO_ALL:
        return num_bytes * (group.num_ranks - inner) / group.num_ranks
    phases = 2.0 if kind is Collective.ALL_REDUCE else 1.0
    return phases * num_bytes * (num_domains - 1) / num_domains / inner
