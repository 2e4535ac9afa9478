"""Parameters that one rank holds: what each kind of parallelism divides, and what it copies."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from dcsim.formulas.training.plan import Adapters, TrainingPlan
from dcsim.formulas.training.products import attention_sizes
from dcsim.formulas.transformer import (
    TransformerShape,
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


def layer_parameters(plan: TrainingPlan, shape: TransformerShape) -> tuple[float, float]:
    """Dense and expert parameters of the mean layer on one rank; norms and router are copied, not divided."""
    softmax_frac = num_attention_layers(shape) / shape.num_layers
    dense = softmax_frac * sum(c * k for c, k in attention_sizes(shape, plan.tensor))
    dense += (1.0 - softmax_frac) * num_linear_attention_parameters(shape) / plan.tensor
    dense += 2.0 * shape.hidden_size
    experts = shape.experts
    if experts is None:
        return dense + num_dense_mlp_parameters(shape) / plan.tensor, 0.0
    dense_frac = experts.num_dense_layers / shape.num_layers
    one = num_expert_parameters(shape)
    dense += dense_frac * num_dense_mlp_parameters(shape) / plan.tensor
    shared = experts.num_shared_experts * one / plan.tensor
    dense += (1.0 - dense_frac) * (shared + shape.hidden_size * experts.num_experts)
    local = max(1.0, experts.num_experts / plan.expert)
    return dense, (1.0 - dense_frac) * local * one / plan.expert_tensor


@lru_cache(maxsize=4096)
def stage_parameters(plan: TrainingPlan) -> StageParameters:
    """Parameters of the fullest stage: the first, with the embedding, or the last, with the LM head.

    With one stage both stand on it, once if they are tied; the first and the last stage of a pipeline hold
    one copy each even of tied ones (Megatron-LM).
    """
    shape = plan.shape
    dense, experts = layer_parameters(plan, shape)
    layers = float(plan.num_stage_layers) * plan.schedule.num_weight_copies()
    tables = 1 if shape.has_tied_embeddings or plan.pipeline > 1 else 2
    if plan.schedule.num_weight_copies() > 1:
        tables = 2
    embedding = tables * shape.vocab_size * shape.hidden_size / plan.tensor
    return StageParameters(
        dense=layers * dense + embedding,
        experts=layers * experts,
        embedding=embedding,
        adapters=0.0 if plan.adapters is None else layers * _adapter_parameters(plan, plan.adapters),
    )


def _adapter_parameters(plan: TrainingPlan, adapters: Adapters) -> float:
    """Adapters of the mean layer: rank x (inputs + outputs) of each product that has one."""
    shape = plan.shape
    sizes = [(c, k) for c, k in attention_sizes(shape, plan.tensor)]
    if adapters.covers_mlp and shape.experts is None:
        width, matrices = shape.ffn_size // plan.tensor, 2 if shape.is_gated else 1
        sizes += [(matrices * width, shape.hidden_size), (shape.hidden_size, width)]
    return float(adapters.rank * sum(c + k for c, k in sizes))


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
