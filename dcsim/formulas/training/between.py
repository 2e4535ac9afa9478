"""Memory traffic of one training layer between its matrix products, forward and backward."""

from __future__ import annotations

from dataclasses import dataclass

from dcsim.formulas.training.choices import RecomputedModule
from dcsim.formulas.training.plan import TrainingPlan
from dcsim.formulas.training.products import num_routed_rows, wide_bytes
from dcsim.formulas.training.software import SoftwareFacts
from dcsim.formulas.transformer import MixtureOfExperts, TransformerShape, num_mlp_matrices

SORT_FRAC = 0.54 / 0.78
"""What sorting tokens by expert and back reaches of the rate of kernels that stream, if 6 + 2 / k elements
are counted for each row. They move 2 + 2 / k, and their maps are made beside.

Measured on B200 (MooreThreads, SimuMax, configs/system/b200_bf16_ceperm.json, by simu_tools/efficency_test:
moe_permute_with_probs and moe_unpermute of Transformer Engine): 0.50 of 8000 GiB/s, or 0.54 of the memory
bandwidth, of which products bound by memory reach 0.78 in the accelerator's efficiency profile."""

BIAS_INNER_BYTES = 16.0
"""Per element of an expert's inner width, gate and inner half clamped one by one and joined again: read and
written in 16 bits, twice (Megatron-LM, fused_bias_geglu.py, weighted_bias_quick_geglu_impl)."""

BIAS_OUTER_BYTES = 28.0
"""Per element that leaves an expert: its bias by the router's weight, the sum with it, and the joining of all
experts' rows in 32 bits, cast to 16 (Megatron-LM, experts.py, TEGroupedMLP)."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """Bytes read and written by each pass."""

    forward: float = 0.0
    backward: float = 0.0

    def plus(self, other: Traffic) -> Traffic:
        """Both."""
        return Traffic(self.forward + other.forward, self.backward + other.backward)

    def times(self, factor: float) -> Traffic:
        """So many times that."""
        return Traffic(self.forward * factor, self.backward * factor)


def traffic_between(plan: TrainingPlan, shape: TransformerShape, software: SoftwareFacts) -> Traffic:
    """Traffic of the mean layer on one rank, each tensor counted once for each kernel that touches it.

    With biases and dropout, as in a GPT, forward (22 / t_sp + 20 / t) T h and backward (46 / t_sp + 54 / t)
    T h in 16 bits, the 4 and 4 of them that copy attention's output only where it is not fused. What stands
    between the products is fused as in Megatron-LM (fused_layer_norm.py, fused_bias_dropout.py,
    fused_bias_gelu.py); the gradients of a sum and of its branch are added by one more kernel.
    """
    tokens, wide = plan.num_micro_tokens, wide_bytes(plan)
    num_blocks = 1.0 if shape.has_parallel_blocks else 2.0
    residual = _block(plan.has_dropout, wide).times(num_blocks * shape.hidden_size / plan.sequence_split)
    whole = residual.plus(_attention(plan, shape, software).times(1.0 / plan.tensor))
    experts = shape.experts
    dense_frac = 1.0 if experts is None else experts.num_dense_layers / shape.num_layers
    whole = whole.plus(_activation(plan, shape).times(dense_frac * shape.ffn_size / plan.tensor))
    if experts is None:
        return whole.times(tokens)
    shared = experts.num_shared_experts * experts.expert_ffn_size / plan.tensor
    whole = whole.plus(_activation(plan, shape).times((1.0 - dense_frac) * shared))
    return whole.times(tokens).plus(_routed(plan, shape, software).times(1.0 - dense_frac))


def recomputed_bytes(plan: TrainingPlan) -> float:
    """Forward traffic of the modules that are computed again by themselves, products left out."""
    shape, wide, chosen = plan.shape, wide_bytes(plan), plan.recomputed_modules
    tokens, per_token, experts = plan.num_micro_tokens, 0.0, plan.shape.experts
    if RecomputedModule.NORMS in chosen:
        num_norms = 1.0 if shape.has_parallel_blocks else 2.0
        per_token += num_norms * 2.0 * wide * shape.hidden_size / plan.sequence_split
    if RecomputedModule.LATENT_UP in chosen and shape.latent is not None:
        per_token += 2.0 * wide * 2.0 * shape.num_heads * shape.head_size / plan.tensor
    dense_frac = 1.0 if experts is None else experts.num_dense_layers / shape.num_layers
    if RecomputedModule.MLP in chosen:
        per_token += dense_frac * _activation(plan, shape).forward * shape.ffn_size / plan.tensor
    if RecomputedModule.EXPERT_ACTIVATION not in chosen or experts is None:
        return per_token * tokens
    per_element = _activation(plan, shape).forward + BIAS_INNER_BYTES * experts.has_biases
    width = experts.expert_ffn_size / plan.expert_tensor
    rows = num_routed_rows(plan, shape) * plan.imbalance
    return per_token * tokens + (1.0 - dense_frac) * rows * width * per_element


def _block(has_dropout: bool, wide: float) -> Traffic:
    """A norm and a residual sum, per element of the width.

    Norm: read and written; backward two tensors are read and one written, once more by the kernel of the
    gradients of gain and bias where there is one. Sum: two read, one written, also of the gradients. With
    dropout a mask of a byte each way, its gradient read and written, and that of the bias read.
    """
    if not has_dropout:
        return Traffic(5.0 * wide, 6.0 * wide)
    return Traffic(5.0 * wide + 1.0, 5.0 * wide + 3.0 * wide + 3.0 * wide + 1.0)


def _attention(plan: TrainingPlan, shape: TransformerShape, software: SoftwareFacts) -> Traffic:
    """Around attention's core: positions, norms of queries and keys, gradients of the three joined again."""
    wide = wide_bytes(plan)
    queries, keys = shape.num_heads * shape.head_size, shape.num_kv_heads * shape.head_size
    joined = queries + 2.0 * keys
    found = Traffic(0.0, 2.0 * wide * joined)
    if plan.has_dropout:  # models with biases; their positions are learned
        found = found.plus(Traffic(0.0, wide * joined))
    else:
        found = found.plus(Traffic(2.0 * wide * (queries + keys), 2.0 * wide * (queries + keys)))
    if shape.has_qk_norm:
        found = found.plus(Traffic(2.0 * wide * (queries + keys), 3.0 * wide * (queries + keys)))
    if not software.has_flash_attention:  # heads are copied side by side
        found = found.plus(Traffic(2.0 * wide * queries, 2.0 * wide * queries))
    return found


def _activation(plan: TrainingPlan, shape: TransformerShape) -> Traffic:
    """Per element of an MLP's inner width: gate and up in, product out, or one in, one out."""
    wide, tensors = wide_bytes(plan), float(num_mlp_matrices(shape))
    biases = wide if plan.has_dropout else 0.0
    return Traffic(wide * tensors, wide * (2.0 * tensors - 1.0) + biases)


def _routed(plan: TrainingPlan, shape: TransformerShape, software: SoftwareFacts) -> Traffic:
    """Of all rows of the busiest rank's experts."""
    experts = shape.experts
    if experts is None:
        return Traffic()
    wide, hidden = wide_bytes(plan), float(shape.hidden_size)
    width = experts.expert_ffn_size / plan.expert_tensor
    sorting = _sorted_elements(experts, plan.expert, software) * wide * hidden
    biases = (BIAS_INNER_BYTES * width + BIAS_OUTER_BYTES * hidden) * experts.has_biases
    per_row = _activation(plan, shape).times(width)
    per_row = per_row.plus(Traffic(sorting + biases, sorting + 2.0 * biases))
    return per_row.times(num_routed_rows(plan, shape) * plan.imbalance)


def _sorted_elements(experts: MixtureOfExperts, num_ranks: int, software: SoftwareFacts) -> float:
    """Elements of a row that could be streamed while tokens are sorted by expert, and back.

    Where a token is sent once for each expert, rows of several experts are sorted again on arrival and before
    they return, four elements in and out (Megatron-LM, token_dispatcher.py, MoEAlltoAllTokenDispatcher,
    "Permutation 2"); else those that arrive are sorted only.
    """
    elements = (6.0 + 2.0 / experts.num_experts_per_token) / SORT_FRAC
    is_sorted_twice = not software.sends_tokens_once and experts.num_experts > num_ranks > 1
    return elements + (4.0 if is_sorted_twice else 0.0)
