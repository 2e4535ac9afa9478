"""Activations that a rank keeps between the forward and the backward pass of a micro-batch."""

from __future__ import annotations

from functools import lru_cache

from dcsim.formulas.training.choices import Recompute, RecomputedModule
from dcsim.formulas.training.parameters import fullest_stage
from dcsim.formulas.training.plan import TrainingPlan
from dcsim.formulas.training.products import num_routed_rows, wide_bytes
from dcsim.formulas.training.software import SoftwareFacts
from dcsim.formulas.transformer import num_mlp_matrices

SCORE_BYTES = 5.0  # per score: scores and softmax in 16 bits, the dropout's mask in 8
STATISTICS_BYTES = 4.0  # per query and head, of fused attention: the logarithm of the sum


@lru_cache(maxsize=4096)
def layer_activation_bytes(plan: TrainingPlan, software: SoftwareFacts) -> float:
    """Bytes of one micro-batch that the mean layer of the fullest stage keeps on one rank.

    GPT with dropout: s b h (10/t_sp + 24/t + 5as/ht); fused attention or selective recomputation leave
    34 s b h / t with sequence parallelism; full recomputation keeps the layer's input, 2 s b h (Korthikanti
    et al., "Reducing Activation Recomputation in Large Transformer Models", 2022, arXiv:2205.05198, table 2).
    Without dropout two masks of one byte are not kept; a gated MLP keeps gate, up and product.
    """
    tokens, shape = plan.num_micro_tokens, plan.shape
    layer_input = wide_bytes(plan) * shape.hidden_size * tokens / plan.sequence_split
    if plan.recompute is Recompute.FULL:
        share = plan.recomputed_frac
        return share * layer_input + (1.0 - share) * _kept_bytes(plan, software)
    return _kept_bytes(plan, software)


def recomputed_layer_bytes(plan: TrainingPlan, software: SoftwareFacts) -> float:
    """The activations of the one layer that is computed again at a time; 0 without full recomputation."""
    return _kept_bytes(plan, software) if plan.recompute is Recompute.FULL else 0.0


def _kept_bytes(plan: TrainingPlan, software: SoftwareFacts) -> float:
    """Of the mean layer of the fullest stage."""
    shape, wide, split = plan.shape, wide_bytes(plan), plan.sequence_split
    dropout = 1.0 if plan.has_dropout else 0.0
    entering = min(plan.linear.num_bytes, wide) if software.keeps_narrow_inputs else wide
    gathered_split = 1 if software.keeps_gathered_inputs else split
    per_token = 2.0 * (wide + dropout) * shape.hidden_size / split
    modules = plan.recomputed_modules
    if RecomputedModule.NORMS not in modules:
        per_token += 2.0 * entering * shape.hidden_size / gathered_split
    per_token += _attention_bytes(plan, software, entering)
    experts = shape.experts
    dense_frac = fullest_stage(plan).dense_frac
    inner = (num_mlp_matrices(shape) - 1) * wide + entering
    if RecomputedModule.MLP not in modules:
        per_token += dense_frac * inner * shape.ffn_size / plan.tensor
    kept = per_token * plan.num_micro_tokens
    if experts is None:
        return kept
    shared = inner * experts.num_shared_experts * experts.expert_ffn_size / plan.tensor
    rows = num_routed_rows(plan, shape) * plan.imbalance
    inner -= entering if RecomputedModule.EXPERT_ACTIVATION in modules else 0.0
    routed = rows * (inner * experts.expert_ffn_size / plan.expert_tensor + 2.0 * wide * shape.hidden_size)
    scores = 4.0 * experts.num_experts * plan.num_micro_tokens / split
    return kept + (1.0 - dense_frac) * (shared * plan.num_micro_tokens + routed + scores)


def _attention_bytes(plan: TrainingPlan, software: SoftwareFacts, entering: float) -> float:
    """Queries, keys, values and output per token, and the scores where they are kept.

    Linear attention is taken to keep as much as attention of the same heads.
    """
    shape, wide = plan.shape, wide_bytes(plan)
    if shape.latent is None:
        width = (shape.num_heads + 2 * shape.num_kv_heads) * shape.head_size
        output, compressed = shape.num_heads * shape.head_size, 0.0
    else:
        latent = shape.latent
        key = latent.nope_head_size + latent.rope_head_size
        width = shape.num_heads * (2 * key + latent.value_head_size)
        output = shape.num_heads * latent.value_head_size
        if RecomputedModule.LATENT_UP in plan.recomputed_modules:
            width = 0
        compressed = float((latent.query_rank or 0) + latent.kv_rank + latent.rope_head_size)
    kept = wide * width / plan.tensor + entering * output / plan.tensor + 2.0 * wide * compressed
    if software.has_flash_attention:
        kept += STATISTICS_BYTES * shape.num_heads / plan.tensor
    elif plan.recompute is not Recompute.SELECTIVE:
        score = SCORE_BYTES if plan.has_dropout else SCORE_BYTES - 1.0
        kept += score * shape.num_heads * plan.num_sequence_tokens / plan.tensor
    return kept


def working_bytes(plan: TrainingPlan) -> float:
    """Gradients of the activations of the one MLP at work: of its inner tensors, its input and its output.

    These two are whole on every tensor-parallel rank, between the product and the collective.
    """
    shape, wide, experts = plan.shape, wide_bytes(plan), plan.shape.experts
    matrices, ends = num_mlp_matrices(shape), 2.0 * shape.hidden_size
    dense = plan.num_micro_tokens * (matrices * shape.ffn_size / plan.tensor + ends)
    if experts is None:
        return wide * dense
    rows = num_routed_rows(plan, shape) * plan.imbalance
    return wide * rows * (matrices * experts.expert_ffn_size / plan.expert_tensor + ends)


def logit_bytes(plan: TrainingPlan, software: SoftwareFacts) -> float:
    """The logits of the last stage: in 16 bits and in 32, and their gradient in 32."""
    tokens = plan.num_micro_tokens * plan.shape.vocab_size / plan.tensor
    return plan.num_logit_heads * tokens * software.logit_bytes
