"""Operations of a training step: what the model needs (MFU) and what the hardware does (HFU)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from dcsim.formulas.training.choices import Recompute
from dcsim.formulas.training.plan import TrainingPlan
from dcsim.formulas.transformer import (
    TransformerShape,
    attended_tokens,
    flops_per_pair,
    num_active_parameters,
    num_attention_layers,
    num_embedding_parameters,
)


@dataclass(frozen=True, slots=True)
class StepFlops:
    """Operations of one optimiser step over all accelerators."""

    model: float  # forward and backward once: what MFU counts
    hardware: float  # with what is computed again: what HFU counts


@dataclass(frozen=True, slots=True)
class ForwardFlops:
    """Operations of a forward pass, for one token."""

    layers: float
    attention_core: float  # of the layers' operations
    logits: float


def forward_flops_per_token(
    shape: TransformerShape, num_sequence_tokens: int, *, causal_frac: float = 1.0, num_logit_heads: int = 1
) -> ForwardFlops:
    """Operations of the forward pass per token, a multiplication and an addition counted as two.

    Two per active weight of the layers, 4 s a d per layer for scores and values (Narayanan et al., "Efficient
    Large-Scale Language Model Training on GPU Clusters Using Megatron-LM", 2021, arXiv:2104.04473, appendix)
    and 2 h V for the logits. ``causal_frac`` is the share of the square of the sequence that is counted: 1 is
    the convention of Megatron-LM and of PaLM's MFU, 1/2 counts what a causal mask leaves.
    """
    body = num_active_parameters(shape) - num_embedding_parameters(shape)
    pairs = float(attended_tokens(shape, num_sequence_tokens * causal_frac, 1.0))
    core = num_attention_layers(shape) * flops_per_pair(shape) * pairs
    logits = 2.0 * shape.vocab_size * shape.hidden_size * num_logit_heads
    return ForwardFlops(2.0 * body + core, core, logits)


@lru_cache(maxsize=4096)
def step_flops(
    plan: TrainingPlan, *, has_flash_attention: bool = True, causal_frac: float = 1.0
) -> StepFlops:
    """Model and hardware operations of one optimiser step.

    Backward is twice the forward pass. Full recomputation repeats the layers' forward pass, not the logits;
    selective recomputation the attention core, which fused attention recomputes inside its kernel anyway
    and does not count. GPT with full recomputation: 96 B s L h^2 (1 + s/6h + V/16Lh); the model needs
    72 B s L h^2 (1 + s/6h + V/12Lh) (arXiv:2104.04473, equation 3).

    Frozen weights of adapters need no gradients: forward and the activations' gradients, 2 times forward.
    """
    one = forward_flops_per_token(
        plan.shape,
        plan.num_sequence_tokens,
        causal_frac=causal_frac,
        num_logit_heads=plan.num_logit_heads,
    )
    tokens = float(plan.num_step_tokens)
    passes = 3.0 if plan.adapters is None else 2.0
    model = passes * (one.layers + one.logits) * tokens
    if plan.adapters is not None:
        model += one.attention_core * tokens  # the core has no weights: both its gradients are needed
    if plan.teacher is not None:
        teacher = forward_flops_per_token(plan.teacher, plan.num_sequence_tokens, causal_frac=causal_frac)
        model += (teacher.layers + teacher.logits) * tokens
    again = 0.0
    if plan.recompute is Recompute.FULL:
        again = one.layers * plan.recomputed_frac
    elif plan.recompute is Recompute.SELECTIVE and not has_flash_attention:
        again = one.attention_core
    return StepFlops(model, model + again * tokens)
