"""Bytes that accelerators send out of their scale-up domains in one step: the load on the fabric."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from dcsim.formulas.network.group_collectives import Collective
from dcsim.formulas.network.group_network import GroupNetwork
from dcsim.formulas.training.choices import Recompute
from dcsim.formulas.training.communication import Message, Messages, step_messages
from dcsim.formulas.training.plan import TrainingPlan
from dcsim.formulas.training.software import SoftwareFacts


class Direction(StrEnum):
    """To whom the domains of a group send."""

    NEXT = "next"  # a ring, or one stage to the next
    ALL = "all"  # each to every other


@dataclass(frozen=True, slots=True)
class Pattern:
    """Bytes that the mean accelerator sends to the other domains of its groups in one step.

    A group is ``num_domains`` domains, every ``stride``-th of the job's.
    """

    direction: Direction
    num_domains: int
    stride: int
    num_bytes: float


def scale_out_patterns(
    plan: TrainingPlan, software: SoftwareFacts, network: GroupNetwork
) -> tuple[Pattern, ...]:
    """What leaves the domains in one step, by who sends to whom; see ``RankGroup.sent_bytes``."""
    size, totals = network.domain_size, dict[tuple[Direction, int, int], float]()
    for messages, times in _messages(plan, software, size):
        for one in messages:
            sent = times * one.count * one.remote_bytes(size)
            if sent > 0.0:
                is_to_all = not isinstance(one, Message) or one.kind is Collective.ALL_TO_ALL
                direction = Direction.ALL if is_to_all else Direction.NEXT
                key = (direction, one.group.num_domains(size), max(1, one.group.stride // size))
                totals[key] = totals.get(key, 0.0) + sent
    return tuple(Pattern(*key, num_bytes) for key, num_bytes in totals.items())


def _messages(
    plan: TrainingPlan, software: SoftwareFacts, domain_size: int
) -> Iterator[tuple[Messages, float]]:
    """All messages of a step, and how often each is sent by the mean accelerator."""
    messages = step_messages(plan, software, domain_size)
    again = 1.0 if plan.recompute is Recompute.FULL else 0.0
    per_layer = plan.num_micro_batches * plan.shape.num_layers / plan.pipeline
    for forward in (messages.tensor_forward, messages.context_forward, messages.expert_forward):
        yield forward, per_layer * (1.0 + again)
    yield messages.tensor_gradients, per_layer
    for backward in (messages.tensor_backward, messages.context_backward, messages.expert_backward):
        yield backward, per_layer
    yield messages.gather_layer, 2.0 * per_layer
    yield messages.scatter_layer, per_layer
    if plan.pipeline > 1:
        boundaries = (plan.pipeline * plan.virtual_stages - 1) / plan.pipeline
        yield messages.send, 2.0 * plan.num_micro_batches * boundaries
    yield messages.reduce, 1.0
    yield messages.gather, 1.0
    yield messages.tied, 2.0 / plan.pipeline
