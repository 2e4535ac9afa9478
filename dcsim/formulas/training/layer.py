"""The time of one layer on one rank: forward, the two halves of backward, and what is computed again."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from dcsim.formulas.datatypes import Datatype
from dcsim.formulas.training.attention import attention_passes
from dcsim.formulas.training.choices import Recompute
from dcsim.formulas.training.cost import NOTHING, Cost
from dcsim.formulas.training.hardware import TrainingHardware
from dcsim.formulas.training.operator_time import streaming_cost
from dcsim.formulas.training.plan import TrainingPlan
from dcsim.formulas.training.products import (
    Product,
    attention_sizes,
    forward_cost,
    input_gradient_cost,
    layer_products,
    narrow_bytes,
    num_routed_rows,
    weight_gradient_cost,
    wide_bytes,
)
from dcsim.formulas.training.software import SoftwareFacts
from dcsim.formulas.transformer import TransformerShape, num_mlp_matrices

CROSS_ENTROPY_BYTES = 10.0  # per logit: 16 bits read, 32 written, 16 of gradient written and read
SORT_TRAFFIC = 4.0 * 0.67 / 0.5
"""Elements read and written to sort tokens by expert and back. Kernels that permute reach 0.5 of a B200's
memory bandwidth where others reach 0.67 (MooreThreads, SimuMax, configs/system/b200_bf16_ceperm.json)."""

BIAS_INNER_BYTES = 16.0
"""Per element of an expert's inner width, gate and inner half clamped one by one and joined again: read and
written in 16 bits, twice (Megatron-LM, fused_bias_geglu.py, weighted_bias_quick_geglu_impl)."""

BIAS_OUTER_BYTES = 28.0
"""Per element that leaves an expert: its bias by the router's weight, the sum with it, and the joining of all
experts' rows in 32 bits, cast to 16 (Megatron-LM, experts.py, TEGroupedMLP)."""

_NARROW = frozenset({Datatype.FP8, Datatype.NVFP4, Datatype.MXFP4, Datatype.INT8})


@dataclass(frozen=True, slots=True)
class PassCosts:
    """The passes of one micro-batch over one layer, or over what stands before and behind the layers."""

    forward: Cost = NOTHING
    input_backward: Cost = NOTHING
    weight_backward: Cost = NOTHING
    recompute: Cost = NOTHING

    @property
    def total(self) -> Cost:
        """All passes."""
        return self.forward.plus(self.input_backward).plus(self.weight_backward).plus(self.recompute)

    def times(self, factor: float) -> PassCosts:
        """So many of them, or stretched by a factor."""
        return PassCosts(
            self.forward.times(factor),
            self.input_backward.times(factor),
            self.weight_backward.times(factor),
            self.recompute.times(factor),
        )

    def plus(self, other: PassCosts) -> PassCosts:
        """One after the other."""
        return PassCosts(
            self.forward.plus(other.forward),
            self.input_backward.plus(other.input_backward),
            self.weight_backward.plus(other.weight_backward),
            self.recompute.plus(other.recompute),
        )


@lru_cache(maxsize=4096)
def layer_costs(plan: TrainingPlan, hardware: TrainingHardware, software: SoftwareFacts) -> PassCosts:
    """The mean layer of the trained model, at the software's efficiency."""
    shape = plan.shape
    products = _passes(layer_products(plan, shape), plan, hardware, software)
    attention = attention_passes(plan, shape, hardware, software)
    between = streaming_cost(hardware, elementwise_bytes(plan, shape) * software.elementwise_factor)
    forward = products.forward.plus(attention.forward).plus(between)
    input_backward = products.input_backward.plus(attention.backward).plus(between.times(2.0))
    recompute = NOTHING
    if plan.recompute is Recompute.FULL:
        spared = NOTHING if software.recomputes_layer_end else _layer_end(plan, hardware)
        recompute = forward.plus(spared.times(-1.0)).times(plan.recomputed_frac)
    elif plan.recompute is Recompute.SELECTIVE and not software.has_flash_attention:
        recompute = attention.forward
    costs = PassCosts(forward, input_backward, products.weight_backward, recompute)
    return _tuned(plan, hardware, software, costs).times(1.0 / software.efficiency_frac)


def _layer_end(plan: TrainingPlan, hardware: TrainingHardware) -> Cost:
    """The last products of the mean layer, whose results only leave it."""
    ends = [one for one in layer_products(plan, plan.shape) if one.ends_layer]
    costs = [forward_cost(one, hardware.linear, narrow_bytes(plan), wide_bytes(plan)) for one in ends]
    total = NOTHING
    for one, cost in zip(ends, costs, strict=True):
        total = total.plus(cost.times(one.layers_frac))
    return total


@lru_cache(maxsize=4096)
def teacher_layer_cost(plan: TrainingPlan, hardware: TrainingHardware, software: SoftwareFacts) -> Cost:
    """The forward pass of one layer of the teacher of a distillation."""
    if plan.teacher is None:
        return NOTHING
    shape = plan.teacher
    cost = _passes(layer_products(plan, shape), plan, hardware, software).forward
    cost = cost.plus(attention_passes(plan, shape, hardware, software).forward)
    between = streaming_cost(hardware, elementwise_bytes(plan, shape) * software.elementwise_factor)
    return cost.plus(between).times(1.0 / software.efficiency_frac)


@lru_cache(maxsize=4096)
def head_costs(plan: TrainingPlan, hardware: TrainingHardware, software: SoftwareFacts) -> PassCosts:
    """LM head and loss, in 16 bits and split by vocabulary, with the embedding's part."""
    tokens, shape = plan.num_micro_tokens, plan.shape
    logits = -(-shape.vocab_size // plan.tensor)
    passes = _passes([Product(tokens, logits, shape.hidden_size, is_wide=True)], plan, hardware, software)
    loss_bytes = CROSS_ENTROPY_BYTES * tokens * logits * software.elementwise_factor
    row = 2.0 * wide_bytes(plan) * tokens * shape.hidden_size
    forward = passes.forward.plus(streaming_cost(hardware, 0.6 * loss_bytes + row))
    backward = passes.input_backward.plus(streaming_cost(hardware, 0.4 * loss_bytes + 2.0 * row))
    weights = NOTHING if plan.adapters is not None else passes.weight_backward
    heads = plan.num_logit_heads / software.efficiency_frac
    return PassCosts(forward, backward, weights).times(heads)


def _passes(
    products: list[Product], plan: TrainingPlan, hardware: TrainingHardware, software: SoftwareFacts
) -> PassCosts:
    wide = wide_bytes(plan)
    forward = inputs = weights = NOTHING
    cast_bytes = 0.0
    for one in products:
        kernel = hardware.wide if one.is_wide else hardware.linear
        entering = wide if one.is_wide else narrow_bytes(plan)
        share = one.layers_frac
        forward = forward.plus(forward_cost(one, kernel, entering, wide).times(share))
        inputs = inputs.plus(input_gradient_cost(one, kernel, entering, wide).times(share))
        gradient = weight_gradient_cost(one, kernel, entering, software.gradient_bytes)
        weights = weights.plus(gradient.times(share))
        if plan.linear in _NARROW and not one.is_wide:
            cast_bytes += software.cast_bytes * one.rows * share * one.inner
    cast = streaming_cost(hardware, cast_bytes)
    return PassCosts(forward.plus(cast), inputs.plus(cast), weights)


def elementwise_bytes(plan: TrainingPlan, shape: TransformerShape) -> float:
    """Memory traffic of the forward pass between the products, kernels fused: (22/t_sp + 16/t) T h for GPT.

    Two norms (read, write), two residual additions with dropout where there is any, activation, rotary
    positions where there is no dropout (models of one kind have learned positions), routing of experts.
    Backward is twice that (Korthikanti et al., arXiv:2205.05198, count the same tensors).
    """
    wide, tokens = wide_bytes(plan), plan.num_micro_tokens
    split = plan.sequence_split
    dropout = 1.0 if plan.has_dropout else 0.0
    num_blocks = 1.0 if shape.has_parallel_blocks else 2.0
    per_token = num_blocks * (2.0 * wide + 3.0 * wide + dropout) * shape.hidden_size / split
    heads = (shape.num_heads + shape.num_kv_heads) * shape.head_size / plan.tensor
    if not plan.has_dropout:
        per_token += 2.0 * wide * heads
    if shape.has_qk_norm:
        per_token += 2.0 * wide * heads
    inputs = num_mlp_matrices(shape)  # gate and up in, product out; or one in, one out
    experts = shape.experts
    dense_frac = 1.0 if experts is None else experts.num_dense_layers / shape.num_layers
    per_token += dense_frac * inputs * wide * shape.ffn_size / plan.tensor
    if experts is None:
        return per_token * tokens
    shared = inputs * wide * experts.num_shared_experts * experts.expert_ffn_size / plan.tensor
    rows = num_routed_rows(plan, shape) * plan.imbalance
    width = experts.expert_ffn_size / plan.expert_tensor
    routed = rows * (inputs * wide * width + SORT_TRAFFIC * wide * shape.hidden_size)
    routed += rows * (BIAS_INNER_BYTES * width + BIAS_OUTER_BYTES * shape.hidden_size) * experts.has_biases
    return per_token * tokens + (1.0 - dense_frac) * (shared * tokens + routed)


def _tuned(
    plan: TrainingPlan, hardware: TrainingHardware, software: SoftwareFacts, costs: PassCosts
) -> PassCosts:
    """The same with adapters: no gradients of frozen weights, the adapters' own products in their place."""
    adapters = plan.adapters
    if adapters is None:
        return costs
    shape, trained_frac = plan.shape, 1.0
    if adapters.num_trained_layers is not None:
        trained_frac = min(1.0, adapters.num_trained_layers / shape.num_layers)
    sizes = [one for one in layer_products(plan, shape) if not one.is_wide]
    if not adapters.covers_mlp:
        sizes = sizes[: len(attention_sizes(shape, plan.tensor))]
    small: list[Product] = []
    for one in sizes if adapters.rank else []:
        small.append(Product(one.rows, adapters.rank, one.inner, one.num_groups, one.layers_frac, True))
        small.append(Product(one.rows, one.columns, adapters.rank, one.num_groups, one.layers_frac, True))
    beside = _passes(small, plan, hardware, software)
    return PassCosts(
        costs.forward.plus(beside.forward),
        costs.input_backward.plus(beside.input_backward).times(trained_frac),
        beside.weight_backward.times(trained_frac),
        costs.recompute.times(trained_frac),
    )
