"""The time of one layer on one rank: forward, the two halves of backward, and what is computed again."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from dcsim.formulas.datatypes import Datatype
from dcsim.formulas.training.attention import attention_passes
from dcsim.formulas.training.between import recomputed_bytes, traffic_between
from dcsim.formulas.training.choices import Recompute
from dcsim.formulas.training.cost import NOTHING, Cost
from dcsim.formulas.training.hardware import Kernel, TrainingHardware
from dcsim.formulas.training.operator_time import streaming_cost
from dcsim.formulas.training.plan import TrainingPlan
from dcsim.formulas.training.products import (
    Product,
    attention_sizes,
    forward_cost,
    input_gradient_cost,
    layer_products,
    narrow_bytes,
    weight_gradient_cost,
    wide_bytes,
)
from dcsim.formulas.training.software import SoftwareFacts

WRITTEN_GRADIENT_BYTES = 2.0  # of a weight gradient that is added up later
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
    between = traffic_between(plan, shape, software).times(software.elementwise_factor)
    forward = products.forward.plus(attention.forward).plus(streaming_cost(hardware, between.forward))
    input_backward = products.input_backward.plus(attention.backward)
    input_backward = input_backward.plus(streaming_cost(hardware, between.backward))
    if plan.recompute is Recompute.FULL:
        spared = NOTHING if software.recomputes_layer_end else _layer_end(plan, hardware)
        recompute = forward.plus(spared.times(-1.0)).times(plan.recomputed_frac)
    else:
        recompute = _recomputed_modules(plan, hardware, software)
        if plan.recompute is Recompute.SELECTIVE and not software.has_flash_attention:
            recompute = recompute.plus(attention.forward)
    costs = PassCosts(forward, input_backward, products.weight_backward, recompute)
    return _tuned(plan, hardware, software, costs).times(1.0 / software.efficiency_frac)


def _recomputed_modules(plan: TrainingPlan, hardware: TrainingHardware, software: SoftwareFacts) -> Cost:
    """Modules of the mean layer that are computed again by themselves.

    What they put out was thrown away, so that all of it is made anew, but for the last product of an MLP.
    """
    if not plan.recomputed_modules:
        return NOTHING
    again = [
        one
        for one in layer_products(plan, plan.shape)
        if one.module in plan.recomputed_modules and not one.ends_layer
    ]
    between = streaming_cost(hardware, recomputed_bytes(plan) * software.elementwise_factor)
    return _passes(again, plan, hardware, software).forward.plus(between)


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
    between = traffic_between(plan, shape, software).forward * software.elementwise_factor
    return cost.plus(streaming_cost(hardware, between)).times(1.0 / software.efficiency_frac)


@lru_cache(maxsize=4096)
def head_costs(plan: TrainingPlan, hardware: TrainingHardware, software: SoftwareFacts) -> PassCosts:
    """LM head and loss, in 16 bits and split by vocabulary, with the embedding's part."""
    tokens, shape = plan.num_micro_tokens, plan.shape
    logits = -(-shape.vocab_size // plan.tensor)
    passes = _passes([Product(tokens, logits, shape.hidden_size, is_wide=True)], plan, hardware, software)
    loss_bytes = software.loss_bytes * tokens * logits * software.elementwise_factor
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
    entering_elements = returning_elements = 0.0  # made narrow, forward and backward
    for one in products:
        kernel = hardware.wide if one.is_wide else hardware.linear
        entering = wide if one.is_wide else narrow_bytes(plan)
        share = one.layers_frac
        forward = forward.plus(forward_cost(one, kernel, entering, wide).times(share))
        inputs = inputs.plus(input_gradient_cost(one, kernel, entering, wide).times(share))
        weights = weights.plus(_weight_gradient(one, kernel, entering, hardware, software).times(share))
        if plan.linear in _NARROW and not one.is_wide:
            entering_elements += one.rows * share * one.inner
            returning_elements += one.rows * share * one.columns
    forward = forward.plus(streaming_cost(hardware, software.cast_bytes * entering_elements))
    inputs = inputs.plus(streaming_cost(hardware, software.cast_bytes * returning_elements))
    return PassCosts(forward, inputs, weights)


def _weight_gradient(
    one: Product, kernel: Kernel, entering: float, hardware: TrainingHardware, software: SoftwareFacts
) -> Cost:
    """The gradient of a weight matrix, added to those of the micro-batches before.

    Either by the product itself, or by a kernel that reads what the product wrote in 16 bits, and reads and
    writes the sum.
    """
    if software.fuses_accumulation:
        return weight_gradient_cost(one, kernel, entering, software.gradient_bytes)
    alone = weight_gradient_cost(one, kernel, entering, 0.5 * WRITTEN_GRADIENT_BYTES)
    moved = (WRITTEN_GRADIENT_BYTES + 2.0 * software.gradient_bytes) * one.num_rank_weights
    return alone.plus(streaming_cost(hardware, moved))


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
