"""Training software: what it fuses, what it overlaps, what it keeps, and one efficiency."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from dcsim.catalog.entry import Entry
from dcsim.formulas.training.software import Overlap, SoftwareFacts
from dcsim.units import Bytes, Fraction, PositiveFraction, Ratio, Seconds


class OverlapShares(BaseModel):
    """Which share of the computation beside it a communication may hide in, and what both then lose."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tensor_frac: Fraction = Field(default=0.0, alias="tensor", description="Tensor-parallel collectives.")
    tensor_gradients_frac: Fraction = Field(
        default=0.0,
        alias="tensor_gradients",
        description="Summing up the gradients of inputs over tensor-parallel ranks, and gathering inputs "
        "again, beside the gradients of weights.",
    )
    context_frac: Fraction = Field(default=0.0, alias="context", description="Keys and values.")
    expert_frac: Fraction = Field(default=0.0, alias="expert", description="Dispatch and combination.")
    pipeline_frac: Fraction = Field(default=0.0, alias="pipeline", description="Sends between stages.")
    gradients_frac: Fraction = Field(default=0.0, alias="gradients", description="Summing up of gradients.")
    parameters_frac: Fraction = Field(
        default=0.0, alias="parameters", description="Gathering of parameters, and of sharded weights."
    )
    compute_slowdown_frac: Ratio = Field(
        default=0.0,
        alias="compute_slowdown",
        description="Computation lost for each second of communication beside it.",
    )
    network_slowdown_frac: Ratio = Field(
        default=0.0, alias="network_slowdown", description="By how much hidden communication takes longer."
    )


class StepClass(StrEnum):
    """Training steps whose errors are told apart."""

    DENSE = "dense"  # dense models in 16 bits or wider
    NARROW = "narrow"  # dense models whose linear layers are narrower
    EXPERTS = "experts"  # models with experts


class Software(Entry):
    """One training framework: structural facts, and at most one fitted efficiency."""

    efficiency_frac: PositiveFraction = Field(
        alias="efficiency",
        description="Calibrated operator time over actual operator time: the one fitted scalar.",
    )
    overlap: OverlapShares = Field(
        default_factory=OverlapShares, description="What communication hides behind computation."
    )
    has_flash_attention: bool = Field(
        alias="flash_attention", description="Whether attention is one fused kernel."
    )
    attention_frac: PositiveFraction | None = Field(
        default=None,
        alias="attention_rate",
        description="Most of the peak rate that its attention kernel reaches forward, the causal half "
        "counted; the efficiency profile's if left out.",
    )
    recomputes_layer_end: bool = Field(
        default=True,
        alias="recomputed_layer_end",
        description="Whether full recomputation repeats the last product of a layer too, whose result no "
        "gradient within the layer needs.",
    )
    elementwise_factor: Ratio = Field(
        alias="elementwise_traffic",
        description="Memory traffic between the products over that of fused kernels: 1 if all are fused.",
    )
    loss_bytes: Bytes = Field(
        default=10.0,
        alias="loss_traffic",
        description="Bytes moved per logit by the loss and its gradient: 10 if 16 bits are read, 32 written, "
        "and 16 of the gradient written and read.",
    )
    cast_bytes: Bytes = Field(
        default=4.0,
        alias="cast_traffic",
        description="Bytes moved per element that is made narrow for a product: 4 if 16 bits are read and 8 "
        "written twice, once transposed (Transformer Engine).",
    )
    layer_host_s: Seconds = Field(
        alias="layer_host_time",
        description="Time of the host to launch one layer's forward pass; it counts where devices wait.",
    )
    expert_host_s: Seconds = Field(
        default=0.0,
        alias="expert_host_time",
        description="Time of the host to route tokens and to launch the experts of one layer's forward pass, "
        "beyond that of the layer.",
    )
    step_host_s: Seconds = Field(
        alias="step_host_time", description="Exposed time of the host once per step: loss, logging, schedule."
    )
    send_host_s: Seconds = Field(
        default=0.0,
        alias="send_host_time",
        description="Exposed time of the host for each send between stages that empties the device.",
    )
    gradient_bytes: Bytes = Field(alias="gradient_size", description="Bytes per parameter of kept gradients.")
    fuses_accumulation: bool = Field(
        default=True,
        alias="fused_accumulation",
        description="Whether the product of a weight gradient adds to the kept gradients itself, rather than "
        "another kernel behind it for every micro-batch.",
    )
    reduced_bytes: Bytes = Field(
        alias="reduced_gradient_size", description="Bytes per parameter of gradients that are summed up."
    )
    gradient_pass_bytes: Bytes = Field(
        default=0.0,
        alias="gradient_traffic",
        description="Bytes moved per parameter and step by kernels on all gradients that a rank keeps, which "
        "zero and average them.",
    )
    update_pass_bytes: Bytes = Field(
        default=0.0,
        alias="update_traffic",
        description="Bytes moved per parameter that a rank updates, beyond the norm of the gradients and the "
        "optimiser's own: unscaling them, copies.",
    )
    gathered_bytes: Bytes = Field(
        default=2.0, alias="gathered_weight_size", description="Bytes per parameter of gathered weights."
    )
    splits_sends: bool = Field(
        default=True,
        alias="split_sends",
        description="Whether tensor-parallel ranks send their part of what goes to the next stage.",
    )
    num_buckets: int = Field(
        default=8, gt=0, description="Parts in which gradients are summed up; the last one stays exposed."
    )
    dispatch_bytes: Bytes = Field(
        default=2.0, alias="dispatch_size", description="Bytes per element of a token sent to an expert."
    )
    sends_tokens_once: bool = Field(
        default=False,
        alias="tokens_sent_once",
        description="Whether a token goes once to each node that holds one of its experts.",
    )
    repeats_keys: bool = Field(
        default=False,
        alias="repeated_keys",
        description="Whether context parallelism gathers keys and values of the whole sequence at once, "
        "repeated for all query heads, rather than pass them round a ring.",
    )
    keeps_narrow_inputs: bool = Field(
        default=True, description="Whether inputs of narrow linear layers are kept in their type."
    )
    keeps_gathered_inputs: bool = Field(
        default=False,
        description="Whether inputs of tensor-parallel products are kept whole instead of gathered again.",
    )
    has_master_weights: bool = Field(
        default=True, alias="master_weights", description="Whether weights are also kept in 32 bits."
    )
    has_dropout: bool = Field(default=False, alias="dropout", description="Whether dropout is used.")
    logit_bytes: Bytes = Field(
        default=12.0, alias="logit_size", description="Bytes per logit at the peak of memory."
    )
    jitter_frac: Fraction = Field(
        alias="jitter", description="Standard deviation of one rank's step over its mean."
    )
    slow_nodes_frac: Fraction = Field(
        default=0.0,
        alias="slow_nodes",
        description="Share of nodes that are a tenth slower than the others without anybody noticing.",
    )
    reserved_bytes: Bytes = Field(
        alias="reserved_memory", description="Context, communication buffers and workspace per accelerator."
    )
    fragmentation_frac: Fraction = Field(
        alias="fragmentation", description="Memory lost between activations, as a share of them."
    )

    uncertainty: dict[StepClass, Fraction] = Field(
        default_factory=dict,
        description="Root mean square logarithmic error of steps that nothing was fitted on, by class: dense "
        "(in 16 bits or wider), narrow (dense, in narrower types), experts.",
    )

    @property
    def facts(self) -> SoftwareFacts:
        """What the formulas take."""
        names = [name for name in SoftwareFacts.__dataclass_fields__ if name != "overlap"]
        overlap = Overlap(**self.overlap.model_dump())
        return SoftwareFacts(overlap=overlap, **{name: getattr(self, name) for name in names})
