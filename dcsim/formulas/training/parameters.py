"""Parameters that one rank holds: what each kind of parallelism divides, and what it copies."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from dcsim.formulas.training.plan import Adapters, TrainingPlan
from dcsim.formulas.training.products import attention_sizes
from dcsim.formulas.transformer import (
    num_attention_layers,
    num_dense_mlp_parameters,
    num_expert_parameters,
    num_linear_attention_parameters,
)


@dataclass(frozen=True, slots=True)
class StageParameters:
    """Parameters on one rank of the fullest pipeline stage, by what divides them."""

    dense: float  # attention, dense and shared MLPs, norms, router, embedding
    experts: float  # routed ones, over expert and expert-tensor ranks
    embedding: float  # of the dense ones, in the embedding and the LM head
    adapters: float = 0.0

    @property
    def total(self) -> float:
        """All of them, adapters included."""
        return self.dense + self.experts + self.adapters


@dataclass(frozen=True, slots=True)
class LayerMix:
    """Layers of one pipeline stage, by their kind of MLP; fractions of a layer where kinds alternate."""

    num_dense: float
    num_sparse: float  # with routed experts

    @property
    def num_layers(self) -> float:
        """All of them."""
        return self.num_dense + self.num_sparse

    @property
    def dense_frac(self) -> float:
        """Share with a dense MLP."""
        return self.num_dense / self.num_layers


def fullest_stage(plan: TrainingPlan) -> LayerMix:
    """The layers of the stage with the most, of the kind with experts where there are any.

    Dense layers stand before the others (DeepSeek-V3: the first three), so that later stages have none of
    them; where they alternate, every stage has its part.
    """
    experts, layers = plan.shape.experts, float(plan.num_stage_layers)
    if experts is None:
        return LayerMix(layers, 0.0)
    num_sparse = plan.shape.num_layers - experts.num_dense_layers
    if experts.is_interleaved:
        sparse = layers * num_sparse / plan.shape.num_layers
    else:
        sparse = min(layers, float(num_sparse))
    return LayerMix(layers - sparse, sparse)


def mean_mix(plan: TrainingPlan) -> LayerMix:
    """The mean layer, as one."""
    return LayerMix(plan.dense_layers_frac, 1.0 - plan.dense_layers_frac)


def mix_parameters(plan: TrainingPlan, mix: LayerMix) -> tuple[float, float]:
    """Dense and expert parameters of some layers on one rank; norms and router are copied, not divided."""
    shape = plan.shape
    softmax_frac = num_attention_layers(shape) / shape.num_layers
    common = softmax_frac * sum(c * k for c, k in attention_sizes(shape, plan.tensor))
    common += (1.0 - softmax_frac) * num_linear_attention_parameters(shape) / plan.tensor
    common += 2.0 * shape.hidden_size
    dense = mix.num_layers * common + mix.num_dense * num_dense_mlp_parameters(shape) / plan.tensor
    experts = shape.experts
    if experts is None:
        return dense, 0.0
    one = num_expert_parameters(shape)
    shared = experts.num_shared_experts * one / plan.tensor
    dense += mix.num_sparse * (shared + shape.hidden_size * experts.num_experts)
    local = max(1.0, experts.num_experts / plan.expert)
    return dense, mix.num_sparse * local * one / plan.expert_tensor


@lru_cache(maxsize=4096)
def stage_parameters(plan: TrainingPlan) -> StageParameters:
    """Parameters of the fullest stage: the first, with the embedding, or the last, with the LM head.

    With one stage both stand on it, once if they are tied; the first and the last stage of a pipeline hold
    one copy each even of tied ones (Megatron-LM).
    """
    shape, copies = plan.shape, plan.schedule.num_weight_copies()
    mix = fullest_stage(plan)
    dense, experts = mix_parameters(plan, mix)
    tables = 1 if shape.has_tied_embeddings or plan.pipeline > 1 else 2
    embedding = max(tables, copies) * shape.vocab_size * shape.hidden_size / plan.tensor
    adapters = 0.0
    if plan.adapters is not None:
        adapters = copies * mix.num_layers * _adapter_parameters(plan, plan.adapters)
    return StageParameters(
        dense=copies * dense + embedding,
        experts=copies * experts,
        embedding=embedding,
        adapters=adapters,
    )


def _adapter_parameters(plan: TrainingPlan, adapters: Adapters) -> float:
    """Adapters of the mean layer: rank x (inputs + outputs) of each product that has one."""
    shape = plan.shape
    sizes = [(c, k) for c, k in attention_sizes(shape, plan.tensor)]
    if adapters.covers_mlp and shape.experts is None:
        width, matrices = shape.ffn_size // plan.tensor, 2 if shape.is_gated else 1
        sizes += [(matrices * width, shape.hidden_size), (shape.hidden_size, width)]
    return float(adapters.rank * sum(c + k for c, k in sizes))


@lru_cache(maxsize=4096)
def num_trained_parameters(plan: TrainingPlan) -> tuple[float, float]:
    """Dense (or adapter) and expert parameters of one rank that have gradients."""
    held = stage_parameters(plan)
    if plan.adapters is None:
        return held.dense, held.experts
    if plan.adapters.rank:
        return held.adapters, 0.0
    layers = plan.adapters.num_trained_layers or plan.shape.num_layers
    share = min(1.0, layers / plan.shape.num_layers)
    return share * (held.dense - held.embedding), share * held.experts
