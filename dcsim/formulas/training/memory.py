"""Memory of a training rank, term by term, and which term is too much."""

from __future__ import annotations

from dataclasses import dataclass, fields

from dcsim.formulas.training.activations import (
    layer_activation_bytes,
    logit_bytes,
    recomputed_layer_bytes,
    working_bytes,
)
from dcsim.formulas.training.choices import MASTER_BYTES, Sharding
from dcsim.formulas.training.communication import context_bytes
from dcsim.formulas.training.parameters import (
    LayerMix,
    fullest_stage,
    mix_parameters,
    num_trained_parameters,
    stage_parameters,
)
from dcsim.formulas.training.plan import TrainingPlan
from dcsim.formulas.training.products import wide_bytes
from dcsim.formulas.training.software import SoftwareFacts
from dcsim.formulas.training.update import num_shards
from dcsim.formulas.transformer import num_parameters

NUM_GATHERED_LAYERS = 2.0  # under full sharding: the layer at work and the one being gathered


@dataclass(frozen=True, slots=True)
class RankMemory:
    """Bytes on the fullest rank. The terms add up to ``total_bytes``."""

    weight_bytes: float
    gradient_bytes: float
    optimizer_bytes: float  # master weights included
    gathered_bytes: float  # of the layers at work: whole weights where they are sharded, whole contexts
    activation_bytes: float
    logit_bytes: float
    reserved_bytes: float  # context, communication buffers, the gradients at work, fragmentation
    capacity_bytes: float

    @property
    def total_bytes(self) -> float:
        """All terms."""
        return sum(self.terms().values())

    @property
    def fits(self) -> bool:
        """Whether the rank's memory holds it all."""
        return self.total_bytes <= self.capacity_bytes

    def terms(self) -> dict[str, float]:
        """The terms by name, in the order in which they are allocated."""
        names = [one.name for one in fields(self) if one.name != "capacity_bytes"]
        return {name.removesuffix("_bytes"): getattr(self, name) for name in names}

    def overflowing_term(self) -> str | None:
        """The term at which memory, filled in the order of ``terms``, runs out; None if all fits."""
        used = 0.0
        for name, size in self.terms().items():
            used += size
            if used > self.capacity_bytes:
                return name
        return None


def rank_memory(plan: TrainingPlan, software: SoftwareFacts, capacity_bytes: float) -> RankMemory:
    """Memory of the fullest rank: the first stage of a pipeline, or the last with its logits.

    Per parameter: weights, gradients, master weights and optimiser state, each divided by the ranks that
    share it out (ZeRO, arXiv:1910.02054, table 1); the classic 18 bytes are 2 + 4 + 4 + 8.
    """
    activation, logits = _activations(plan, software)
    weights, gradients, state = _parameter_bytes(plan, software)
    offload = plan.offload
    return RankMemory(
        weight_bytes=weights * (1.0 - offload.weight_frac),
        gradient_bytes=gradients,
        optimizer_bytes=state * (1.0 - offload.optimizer_frac),
        gathered_bytes=_gathered_bytes(plan, software) + _gathered_context_bytes(plan, software),
        activation_bytes=activation * (1.0 - offload.activation_frac),
        logit_bytes=logits,
        reserved_bytes=software.reserved_bytes
        + working_bytes(plan)
        + software.fragmentation_frac * (activation * (1.0 - offload.activation_frac) + logits),
        capacity_bytes=capacity_bytes,
    )


def _parameter_bytes(plan: TrainingPlan, software: SoftwareFacts) -> tuple[float, float, float]:
    """Bytes of weights, gradients, and master weights with optimiser state."""
    held = stage_parameters(plan)
    dense, experts = num_trained_parameters(plan)
    shards = num_shards(plan)
    expert_shards = min(shards, plan.num_expert_copies)
    weights = wide_bytes(plan) if plan.adapters is None else plan.adapters.base_bytes
    weight_split = (shards, expert_shards) if plan.sharding is Sharding.FULL else (1, 1)
    is_split = plan.sharding is Sharding.GRADIENTS or plan.regathers_weights
    gradient_split = (shards, expert_shards) if is_split else (1, 1)
    master = MASTER_BYTES if wide_bytes(plan) < MASTER_BYTES and software.has_master_weights else 0.0
    state = plan.optimizer.state_bytes + master
    kept = held.dense / weight_split[0] + held.experts / weight_split[1]
    return (
        weights * kept + wide_bytes(plan) * (held.adapters + _teacher_parameters(plan)),
        software.gradient_bytes * (dense / gradient_split[0] + experts / gradient_split[1]),
        state * (dense / shards + experts / expert_shards),
    )


def _teacher_parameters(plan: TrainingPlan) -> float:
    """Weights of a teacher, spread as the model's are, but for sharding."""
    if plan.teacher is None:
        return 0.0
    return num_parameters(plan.teacher) / (plan.tensor * plan.pipeline)


def _gathered_bytes(plan: TrainingPlan, software: SoftwareFacts) -> float:
    """Whole layers that full sharding has gathered at once, and one layer's whole gradients.

    All layers of its stage in a pipeline, where the gradients are summed up whole as well.
    """
    if plan.sharding is not Sharding.FULL:
        return 0.0
    if not plan.regathers_weights:
        return stage_parameters(plan).total * software.gathered_bytes
    mix = fullest_stage(plan)
    one = LayerMix(mix.dense_frac, 1.0 - mix.dense_frac)
    dense, experts = mix_parameters(plan, one)
    per_parameter = NUM_GATHERED_LAYERS * software.gathered_bytes + software.reduced_bytes
    return (dense + experts) * per_parameter


def _gathered_context_bytes(plan: TrainingPlan, software: SoftwareFacts) -> float:
    """Keys and values of the whole context at the one layer at work, where they are gathered at once."""
    return context_bytes(plan, software) if software.repeats_keys and plan.context > 1 else 0.0


def _activations(plan: TrainingPlan, software: SoftwareFacts) -> tuple[float, float]:
    """Activations and logits of the stage that keeps most."""
    kept = plan.schedule.num_kept_micro_batches(plan.size)
    per_layer = layer_activation_bytes(plan, software)
    layers = plan.num_stage_layers
    entering = wide_bytes(plan) * plan.num_micro_tokens * plan.shape.hidden_size / plan.sequence_split
    first = kept * (layers * per_layer + entering) + recomputed_layer_bytes(plan, software)
    logits = logit_bytes(plan, software)
    if plan.pipeline == 1:
        return first, logits
    last = layers * per_layer + recomputed_layer_bytes(plan, software)
    return (first, 0.0) if first >= last + logits else (last, logits)
