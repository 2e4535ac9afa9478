"""A training plan: the model, the batch, the parallelism and the choices that decide what a step costs."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from dcsim.formulas.datatypes import Datatype
from dcsim.formulas.training.choices import (
    OPTIMIZERS,
    Optimizer,
    OptimizerName,
    Recompute,
    RecomputedModule,
    Sharding,
)
from dcsim.formulas.training.schedule import PipelineSize, Schedule
from dcsim.formulas.transformer import TransformerShape, num_dense_layers


@dataclass(frozen=True, slots=True)
class Adapters:
    """Parameter-efficient tuning: the base is frozen, small matrices beside it are trained.

    ``rank`` is that of LoRA's pair of matrices beside every linear layer of attention, and of the MLPs where
    ``covers_mlp`` (Hu et al., arXiv:2106.09685). ``base_bytes`` is what a frozen weight takes in memory: 2,
    or 0.52 where it is kept in 4 bits (QLoRA, arXiv:2305.14314). ``num_trained_layers`` limits training to
    the last layers: below them nothing is back-propagated.
    """

    rank: int
    covers_mlp: bool = True
    base_bytes: float = 2.0
    num_trained_layers: int | None = None


@dataclass(frozen=True, slots=True)
class Compression:
    """Gradient compression: the share of the bytes that is sent, and the memory traffic of the codec."""

    ratio: float = 1.0
    codec_bytes_per_gradient: float = 0.0


@dataclass(frozen=True, slots=True)
class Offload:
    """Shares of optimiser state, activations and weights that are kept outside the accelerator.

    ``update_on_host`` says that the host's processors run the optimiser on what they keep.
    """

    optimizer_frac: float = 0.0
    activation_frac: float = 0.0
    weight_frac: float = 0.0
    goes_to_nvme: bool = False
    update_on_host: bool = True


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """One way to train one model.

    Ranks are laid out tensor first, then context, data and pipeline; expert parallelism re-divides the
    ranks of one pipeline stage (Megatron-LM's parallel folding): experts are spread over ``expert`` ranks,
    each expert over ``expert_tensor`` of them.
    """

    shape: TransformerShape
    num_sequences: int  # of one optimiser step, over all replicas
    num_sequence_tokens: int
    schedule: Schedule
    micro_sequences: int = 1
    tensor: int = 1
    pipeline: int = 1
    data: int = 1
    context: int = 1
    expert: int = 1
    expert_tensor: int = 1
    virtual_stages: int = 1
    has_sequence_parallelism: bool = False
    recompute: Recompute = Recompute.NONE
    num_recomputed_layers: int | None = None  # of all, under full recomputation; all if None
    recomputed_modules: frozenset[RecomputedModule] = frozenset()  # where not all of a layer is
    sharding: Sharding = Sharding.OPTIMIZER
    num_shards: int | None = None  # ranks that share out; all data-parallel ones if None (HSDP: fewer)
    linear: Datatype = Datatype.BF16
    optimizer: Optimizer = OPTIMIZERS[OptimizerName.ADAMW]
    imbalance: float = 1.0  # rows of the busiest expert rank over the mean
    max_routed_nodes: int | None = None  # node-limited routing (DeepSeek-V3: 4)
    num_logit_heads: int = 1  # further ones predict further tokens (multi-token prediction)
    has_dropout: bool = False
    is_causal: bool = True
    adapters: Adapters | None = None
    teacher: TransformerShape | None = None
    compression: Compression = field(default_factory=Compression)
    offload: Offload = field(default_factory=Offload)

    @property
    def num_accelerators(self) -> int:
        """Ranks of the whole job."""
        return self.tensor * self.context * self.data * self.pipeline

    @property
    def num_stage_ranks(self) -> int:
        """Ranks of one pipeline stage."""
        return self.tensor * self.context * self.data

    @property
    def num_micro_batches(self) -> int:
        """Micro-batches of each replica in a step."""
        return math.ceil(self.num_sequences / (self.data * self.micro_sequences))

    @property
    def num_micro_tokens(self) -> float:
        """Tokens of a micro-batch on one rank."""
        return self.micro_sequences * self.num_sequence_tokens / self.context

    @property
    def num_step_tokens(self) -> int:
        """Tokens of one optimiser step, over all replicas."""
        return self.num_sequences * self.num_sequence_tokens

    @property
    def size(self) -> PipelineSize:
        """What the pipeline schedule needs to know."""
        return PipelineSize(self.pipeline, self.virtual_stages, self.num_micro_batches)

    @property
    def num_stage_layers(self) -> int:
        """Layers of the fullest stage: whole chunks of them."""
        return -(-self.shape.num_layers // (self.pipeline * self.virtual_stages)) * self.virtual_stages

    @property
    def num_last_layers(self) -> int:
        """Layers of the last stage: what full ones before it leave, if that is any."""
        left = self.shape.num_layers - (self.pipeline - 1) * self.num_stage_layers
        return left if left > 0 else self.shape.num_layers // self.pipeline

    @property
    def dense_layers_frac(self) -> float:
        """Share of the layers that have a dense MLP."""
        return num_dense_layers(self.shape) / self.shape.num_layers

    @property
    def regathers_weights(self) -> bool:
        """Whether sharded weights are gathered for every micro-batch, and their gradients scattered.

        In a pipeline they stay gathered from the first micro-batch to the last (torchtitan: FSDP does not
        reshard after forward there; arXiv:2410.06511).
        """
        return self.sharding is Sharding.FULL and self.pipeline == 1

    @property
    def recomputed_frac(self) -> float:
        """Share of the layers that full recomputation covers."""
        if self.num_recomputed_layers is None:
            return 1.0
        return self.num_recomputed_layers / self.shape.num_layers

    @property
    def num_gradient_ranks(self) -> int:
        """Ranks that hold the same part of the dense weights: their gradients are summed up."""
        return self.data * self.context

    @property
    def num_expert_copies(self) -> int:
        """Ranks that hold the same part of the same experts."""
        return max(1, self.num_stage_ranks // (self.expert * self.expert_tensor))

    @property
    def sequence_split(self) -> int:
        """Parts into which the tokens between tensor-parallel products are split."""
        return self.tensor if self.has_sequence_parallelism else 1
