"""What ranks send each other in a step, and how long it takes when nothing hides it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

from dcsim.formulas.network.group_collectives import Collective
from dcsim.formulas.network.group_network import GroupNetwork, large_message_bytes_per_s
from dcsim.formulas.training.choices import Sharding
from dcsim.formulas.training.groups import (
    RankGroup,
    context_group,
    expert_gradient_group,
    expert_group,
    gradient_group,
    neighbour_group,
    tensor_group,
)
from dcsim.formulas.training.parameters import mean_mix, mix_parameters, num_trained_parameters
from dcsim.formulas.training.plan import TrainingPlan
from dcsim.formulas.training.products import num_routed_rows, wide_bytes
from dcsim.formulas.training.routing import num_visited_domains
from dcsim.formulas.training.software import SoftwareFacts
from dcsim.formulas.training.update import num_shards
from dcsim.formulas.transformer import num_attention_layers


@dataclass(frozen=True, slots=True)
class Message:
    """A collective of a group: what is sent (counted as in ``collective_time``), by whom, how often."""

    kind: Collective
    group: RankGroup
    num_bytes: float
    count: float = 1.0

    def time_s(self, network: GroupNetwork) -> float:
        """Time of all of them, one after the other."""
        return self.count * self.group.time_s(self.kind, network, self.num_bytes)

    def remote_bytes(self, domain_size: int) -> float:
        """Bytes that the mean rank sends to other domains, each time."""
        return self.group.sent_bytes(self.kind, self.num_bytes, domain_size)


@dataclass(frozen=True, slots=True)
class Relay:
    """Tokens sent once to each scale-up domain that they visit, and handed on there at the same time.

    t = base + max(remote bytes / scale-out, all bytes / scale-up), at the rates of large messages: kernels of
    DeepEP's kind do both at once. Its README has 58 and 51 GB/s per port of 50 GB/s on 4 and 8 nodes of H800:
    with the tokens that stay in their own node taken off, a quarter and an eighth, 44 and 45 GB/s.
    """

    group: RankGroup
    num_bytes: float  # to ranks, each token as often as it visits any
    once_bytes: float  # to domains, each token as often as it visits any
    count: float = 1.0

    def time_s(self, network: GroupNetwork) -> float:
        """Time of all of them, one after the other."""
        num_domains = self.group.num_domains(network.domain_size)
        remote = self.once_bytes * (num_domains - 1) / num_domains
        out, up = network.scale_out, network.scale_up
        out_s = remote / (large_message_bytes_per_s(out) * network.scale_out_share_frac)
        inside_s = self.num_bytes / large_message_bytes_per_s(up)
        time_s = up.base_s + out.base_s + out.hop_s + max(out_s, inside_s)
        return self.count * network.time_factor * time_s

    def remote_bytes(self, domain_size: int) -> float:
        """Bytes that the mean rank sends to other domains, each time."""
        num_domains = self.group.num_domains(domain_size)
        return self.once_bytes * (num_domains - 1) / num_domains


Messages = tuple[Message | Relay, ...]


@dataclass(frozen=True, slots=True)
class StepMessages:
    """All messages of a step. Those of layers are of one micro-batch and the mean layer."""

    tensor_forward: Messages
    tensor_backward: Messages  # of the gradients of outputs
    tensor_gradients: Messages  # of the gradients of inputs, which those of weights do not wait for
    context_forward: Messages
    context_backward: Messages
    expert_forward: Messages
    expert_backward: Messages
    gather_layer: Messages  # of the weights of one layer, where they are sharded
    scatter_layer: Messages  # of the gradients of one layer, likewise
    send: Messages  # to the next stage, once
    reduce: Messages  # gradients of the step
    gather: Messages  # parameters after the update
    tied: Messages  # gradients of a tied embedding, between the first and the last stage


def total_s(messages: Messages, network: GroupNetwork) -> float:
    """Time of messages one after the other."""
    return sum(one.time_s(network) for one in messages)


@lru_cache(maxsize=4096)
def step_messages(plan: TrainingPlan, software: SoftwareFacts, domain_size: int) -> StepMessages:
    """What the ranks of a job send each other in one step."""
    tensor = _tensor_messages(plan)
    outputs, inputs = _tensor_gradient_messages(tensor, software)
    context = _context_message(plan, software)
    expert = _expert_messages(plan, software, domain_size)
    gather, scatter = _layer_shards(plan, software)
    reduce, regather = _gradient_messages(plan, software)
    return StepMessages(
        tensor_forward=tensor,
        tensor_backward=outputs,
        tensor_gradients=inputs,
        context_forward=context,
        context_backward=tuple(replace(one, count=2.0 * one.count) for one in context),
        expert_forward=expert,
        expert_backward=expert,
        gather_layer=gather,
        scatter_layer=scatter,
        send=_send(plan, software),
        reduce=reduce,
        gather=regather,
        tied=_tied(plan, software),
    )


def _tensor_messages(plan: TrainingPlan) -> Messages:
    """Behind attention and behind the MLP: an all-reduce, or its two halves (Shoeybi, arXiv:1909.08053).

    With sequence parallelism an all-gather before and a reduce-scatter behind (arXiv:2205.05198, section
    4.2.2). Routed experts alone need neither: their tokens are dispatched. Attention and MLP side by side
    share theirs (PaLM, arXiv:2204.02311, section 2).
    """
    if plan.tensor == 1:
        return ()
    experts, blocks = plan.shape.experts, 2.0
    if experts is not None and not experts.num_shared_experts:
        blocks = 1.0 + plan.dense_layers_frac
    elif plan.shape.has_parallel_blocks:
        blocks = 1.0
    size = plan.num_micro_tokens * plan.shape.hidden_size * wide_bytes(plan)
    group = tensor_group(plan)
    if not plan.has_sequence_parallelism:
        return (Message(Collective.ALL_REDUCE, group, size, blocks),)
    return (
        Message(Collective.ALL_GATHER, group, size, blocks),
        Message(Collective.REDUCE_SCATTER, group, size, blocks),
    )


def _tensor_gradient_messages(forward: Messages, software: SoftwareFacts) -> tuple[Messages, Messages]:
    """Those of the backward pass: gradients of what a block puts out, and of what it takes in.

    An all-reduce behind forward is one of the gradients of inputs. With sequence parallelism the gradients of
    outputs are gathered and those of inputs reduced and scattered; the inputs, of which each rank keeps its
    part, are gathered once more for the gradients of weights (arXiv:2205.05198, section 4.2.2).
    """
    if len(forward) < 2:
        return (), forward
    gather, scatter = forward
    return (gather,), (scatter,) if software.keeps_gathered_inputs else (gather, scatter)


def _context_message(plan: TrainingPlan, software: SoftwareFacts) -> Messages:
    """Keys and values of the whole sequence, gathered or passed round a ring (arXiv:2310.01889)."""
    if plan.context == 1:
        return ()
    share = num_attention_layers(plan.shape) / plan.shape.num_layers
    size = context_bytes(plan, software)
    return (Message(Collective.ALL_GATHER, context_group(plan), size, share),)


def context_bytes(plan: TrainingPlan, software: SoftwareFacts) -> float:
    """Bytes of the keys and values of a whole micro-batch, of the heads of one tensor-parallel rank."""
    shape = plan.shape
    if shape.latent is None:
        heads = shape.num_heads if software.repeats_keys else shape.num_kv_heads
        width = 2 * -(-heads // plan.tensor) * shape.head_size
    else:
        latent = shape.latent
        head = latent.nope_head_size + latent.rope_head_size + latent.value_head_size
        width = -(-shape.num_heads // plan.tensor) * head
    return plan.num_micro_tokens * plan.context * width * wide_bytes(plan)


def _expert_messages(plan: TrainingPlan, software: SoftwareFacts, domain_size: int) -> Messages:
    """Dispatch of tokens to their experts and combination of what comes back, over the mean layer.

    A token goes once to each scale-up domain that it visits and is handed on there once to each rank, where
    the software does that (DeepSeek-V3, arXiv:2412.19437, section 3.2.2; DeepEP); else once for each expert.
    """
    shape, group = plan.shape, expert_group(plan)
    if shape.experts is None or plan.expert == 1:
        return ()
    share = 2.0 * (1.0 - plan.dense_layers_frac)  # there and back
    width = 0.5 * (software.dispatch_bytes + 2.0) * shape.hidden_size * plan.imbalance
    size = num_routed_rows(plan, shape) * width
    if not software.sends_tokens_once:
        return (Message(Collective.ALL_TO_ALL, group, size, share),)
    per_visit = size / shape.experts.num_experts_per_token
    size = per_visit * num_visited_domains(shape.experts, plan.expert, None)
    num_domains = group.num_domains(domain_size)
    if num_domains == 1:
        return (Message(Collective.ALL_TO_ALL, group, size, share),)
    visited = num_visited_domains(shape.experts, num_domains, plan.max_routed_nodes)
    return (Relay(group, size, per_visit * visited, share),)


def _shard_groups(plan: TrainingPlan) -> tuple[RankGroup, RankGroup]:
    """The ranks that share weights out, and those that hold the same share."""
    whole, shards = gradient_group(plan), num_shards(plan)
    return RankGroup(shards, whole.stride), RankGroup(whole.num_ranks // shards, whole.stride * shards)


def _layer_shards(plan: TrainingPlan, software: SoftwareFacts) -> tuple[Messages, Messages]:
    if not plan.regathers_weights:
        return (), ()
    dense, experts = mix_parameters(plan, mean_mix(plan))
    shards, _ = _shard_groups(plan)
    gather = [Message(Collective.ALL_GATHER, shards, dense * software.gathered_bytes)]
    scatter = [Message(Collective.REDUCE_SCATTER, shards, dense * software.reduced_bytes)]
    if experts:
        group = expert_gradient_group(plan)
        gather.append(Message(Collective.ALL_GATHER, group, experts * software.gathered_bytes))
        scatter.append(Message(Collective.REDUCE_SCATTER, group, experts * software.reduced_bytes))
    if plan.adapters is not None:
        return tuple(gather), ()
    return tuple(gather), tuple(scatter)


def _gradient_messages(plan: TrainingPlan, software: SoftwareFacts) -> tuple[Messages, Messages]:
    """Gradients summed up once a step, and the updated parameters gathered where they are shared out."""
    dense, experts = num_trained_parameters(plan)
    sent = software.reduced_bytes * plan.compression.ratio
    shards, copies = _shard_groups(plan)
    both = ((dense, shards, copies), (experts, expert_gradient_group(plan), RankGroup(1, 1)))
    reduce: list[Message] = []
    gather: list[Message] = []
    for number, group, others in both:
        if plan.sharding is Sharding.NONE:
            whole = gradient_group(plan) if group is shards else group
            reduce.append(Message(Collective.ALL_REDUCE, whole, number * sent))
            continue
        if not plan.regathers_weights:
            reduce.append(Message(Collective.REDUCE_SCATTER, group, number * sent))
            gather.append(Message(Collective.ALL_GATHER, group, number * software.gathered_bytes))
        reduce.append(Message(Collective.ALL_REDUCE, others, number * sent / group.num_ranks))
    return _sent(reduce), _sent(gather)


def _sent(messages: list[Message]) -> Messages:
    return tuple(one for one in messages if one.group.num_ranks > 1 and one.num_bytes > 0.0)


def _send(plan: TrainingPlan, software: SoftwareFacts) -> Messages:
    """To the next stage: whole, or each rank's part, gathered there (arXiv:2104.04473, section 4.1)."""
    if plan.pipeline == 1:
        return ()
    size = plan.num_micro_tokens * plan.shape.hidden_size * wide_bytes(plan)
    group = neighbour_group(plan)
    if plan.has_sequence_parallelism:
        return (Message(Collective.SEND, group, size / plan.tensor),)
    if not software.splits_sends or plan.tensor == 1:
        return (Message(Collective.SEND, group, size),)
    return (
        Message(Collective.SEND, group, size / plan.tensor),
        Message(Collective.ALL_GATHER, tensor_group(plan), size),
    )


def _tied(plan: TrainingPlan, software: SoftwareFacts) -> Messages:
    """First and last stage sum up the gradients of the embedding that both hold."""
    if plan.pipeline == 1 or not plan.shape.has_tied_embeddings or plan.adapters is not None:
        return ()
    size = plan.shape.vocab_size * plan.shape.hidden_size / plan.tensor * software.reduced_bytes
    return (Message(Collective.ALL_REDUCE, neighbour_group(plan), size),)
