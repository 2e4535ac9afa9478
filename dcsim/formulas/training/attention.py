"""The attention core of one training layer on one rank, fused (Flash) or as separate kernels."""

from __future__ import annotations

from dataclasses import dataclass

from dcsim.formulas.training.cost import NOTHING, Cost
from dcsim.formulas.training.hardware import TrainingHardware
from dcsim.formulas.training.operator_time import attention_cost, matmul_cost, streaming_cost
from dcsim.formulas.training.plan import TrainingPlan
from dcsim.formulas.training.products import wide_bytes
from dcsim.formulas.training.software import SoftwareFacts
from dcsim.formulas.transformer import (
    TransformerShape,
    attended_tokens,
    flops_per_pair,
    num_attention_layers,
)

FLASH_BACKWARD_FLOPS = 2.5  # five products against two (Dao, FlashAttention-2, arXiv:2307.08691, section 4.1)
FLASH_BACKWARD_FRAC = 0.83
"""Of the forward pass's rate: B200, 64 and 128 heads, 4,096 tokens (MooreThreads, SimuMax,
configs/system/b200_bf16_ceperm.json, measured)."""

LATENT_BACKWARD_FRAC = 0.72
"""Likewise for latent attention, whose keys are wider than its values: 0.30 of 0.42 (the same table)."""

SCORE_BYTES = 4.0  # softmax reads and writes each score in 16 bits
SCORE_GRADIENT_BYTES = 6.0  # its gradient reads its result and the gradient of that, and writes one
DROPOUT_BYTES = 5.0  # dropout reads, writes, and keeps a mask of one byte; its gradient reads all of that


@dataclass(frozen=True, slots=True)
class AttentionPasses:
    """Forward and backward pass of the attention core, over the mean layer."""

    forward: Cost = NOTHING
    backward: Cost = NOTHING


def attention_passes(
    plan: TrainingPlan, shape: TransformerShape, hardware: TrainingHardware, software: SoftwareFacts
) -> AttentionPasses:
    """The core of attention: scores, softmax, values."""
    share = num_attention_layers(shape) / shape.num_layers
    if software.has_flash_attention:
        forward = _fused(plan, shape, hardware, software).times(share)
        rate_frac = FLASH_BACKWARD_FRAC if shape.latent is None else LATENT_BACKWARD_FRAC
        return AttentionPasses(forward, forward.times(FLASH_BACKWARD_FLOPS / rate_frac))
    return _separate(plan, shape, hardware, share)


def num_pairs(plan: TrainingPlan, shape: TransformerShape, causal_frac: float) -> float:
    """Pairs of query and key that one rank works on in the mean layer: T s, or the causal part of it."""
    tokens = plan.num_micro_tokens
    pairs = tokens * plan.num_sequence_tokens * (causal_frac if plan.is_causal else 1.0)
    return pairs if shape.local is None else float(attended_tokens(shape, pairs, tokens))


def _fused(
    plan: TrainingPlan, shape: TransformerShape, hardware: TrainingHardware, software: SoftwareFacts
) -> Cost:
    heads, kv_heads = -(-shape.num_heads // plan.tensor), -(-shape.num_kv_heads // plan.tensor)
    pairs = num_pairs(plan, shape, hardware.causal_square_frac)
    flops = flops_per_pair(shape) * (heads / shape.num_heads) * pairs
    tokens = plan.num_micro_tokens
    moved = 2.0 * tokens * (heads + kv_heads * plan.context) * shape.head_size * wide_bytes(plan)
    length = plan.num_sequence_tokens / plan.context
    sequence = (length, float(plan.micro_sequences), moved)
    sizes = (heads, kv_heads, shape.head_size)
    if (
        shape.latent is not None
    ):  # as fast as plain attention of as many heads: 0.42 and 0.43 (the same table)
        sizes = (heads, heads, shape.latent.value_head_size)
    cost = attention_cost(hardware.attention, sizes, sequence, flops)
    if software.attention_frac is None:
        return cost
    least_s = flops / (hardware.attention.peak_flops_per_s * software.attention_frac)
    return cost.times(max(1.0, least_s / cost.total_s))


def _separate(
    plan: TrainingPlan, shape: TransformerShape, hardware: TrainingHardware, share: float
) -> AttentionPasses:
    """Two batched products over the whole square, four backward, and passes of softmax and dropout."""
    heads, size, length = -(-shape.num_heads // plan.tensor), shape.head_size, plan.num_sequence_tokens
    groups = float(plan.micro_sequences * heads)
    rows = groups * length / plan.context
    wide = wide_bytes(plan)
    moved = wide * (rows * (size + length) + groups * length * size)
    scores = matmul_cost(hardware.wide, rows, length, size, groups, moved)
    values = matmul_cost(hardware.wide, rows, size, length, groups, moved)
    products, dropout = scores.plus(values), DROPOUT_BYTES if plan.has_dropout else 0.0
    forward = streaming_cost(hardware, (SCORE_BYTES + dropout) * rows * length)
    backward = streaming_cost(hardware, (SCORE_GRADIENT_BYTES + dropout) * rows * length)
    return AttentionPasses(
        products.plus(forward).times(share), products.times(2.0).plus(backward).times(share)
    )
