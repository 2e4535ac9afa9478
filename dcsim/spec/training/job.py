"""The training section: one training job, its model, batch, parallelism, data and checkpoints."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from dcsim.catalog.engine import Engine
from dcsim.catalog.model import Model
from dcsim.catalog.software import Software
from dcsim.catalog.trained_model import AnyModel
from dcsim.formulas.checkpoint import CheckpointMode
from dcsim.formulas.datatypes import Datatype
from dcsim.formulas.training.choices import OptimizerName, Recompute, RecomputedModule, Sharding
from dcsim.plugins import PolicyFrom
from dcsim.policies.pipeline_schedule import PipelineSchedule
from dcsim.spec.reference import Reference
from dcsim.spec.section import Section
from dcsim.spec.training.scheduled import Scheduled
from dcsim.units import (
    Bytes,
    BytesPerSecond,
    Fraction,
    PositiveFraction,
    PositiveSeconds,
    Ratio,
    Seconds,
)

SCHEDULES = "dcsim.policies.pipeline_schedules"
_NICKNAMES = {"1f1b": "one_forward_one_backward"}
_MOST = 1_000_000


class JobKind(StrEnum):
    """What a training job is for."""

    PRETRAIN = "pretrain"
    FINETUNE = "finetune"  # all weights
    LORA = "lora"  # adapters beside frozen weights
    RL = "rl"  # generates samples, then trains on them
    SWEEP = "sweep"  # many trials of the same job


class TrainingParallelism(Section):
    """How a job is spread over accelerators."""

    tensor: int = Field(default=1, gt=0, le=1024, description="Ranks that share each matrix product.")
    pipeline: int = Field(default=1, gt=0, le=1024, description="Pipeline stages.")
    context: int = Field(default=1, gt=0, le=1024, description="Ranks that share each sequence.")
    data: int | None = Field(
        default=None, gt=0, le=_MOST, description="Replicas; what the accelerators give if left out."
    )
    expert: int = Field(default=1, gt=0, le=4096, description="Ranks among which experts are spread.")
    expert_tensor: int = Field(default=1, gt=0, le=64, description="Ranks that share each expert.")
    virtual_stages: int = Field(default=1, gt=0, le=256, description="Chunks of layers per pipeline stage.")
    has_sequence_parallelism: bool | None = Field(
        default=None,
        alias="sequence",
        description="Whether norms and residuals are split over tensor ranks; they are if there are "
        "several, unless told otherwise.",
    )
    schedule: Annotated[PipelineSchedule, PolicyFrom(SCHEDULES)] | None = Field(
        default=None,
        description="Pipeline schedule; interleaved with virtual stages, else 1f1b, if left out.",
    )
    num_shards: int | None = Field(
        default=None,
        gt=0,
        alias="shards",
        description="Ranks that share out weights or optimiser state; all with equal weights if left out "
        "(fewer: hybrid sharding, HSDP).",
    )

    @field_validator("schedule", mode="before")
    @classmethod
    def _by_nickname(cls, value: object) -> object:
        """``1f1b`` is no name for a file of Python."""
        if isinstance(value, dict):
            name = value.get("policy")
            return {**value, "policy": _NICKNAMES[name]} if name in _NICKNAMES else value
        return _NICKNAMES.get(value, value) if isinstance(value, str) else value


class Batch(Section):
    """The batch of one optimiser step."""

    sequences: int = Field(
        gt=0, le=10_000_000, description="Sequences (samples) per step, over all replicas."
    )
    micro: int | None = Field(
        default=None,
        gt=0,
        le=10_000_000,
        description="Sequences that a replica takes at once; if left out 1, and for models given by what a "
        "sample costs all of the replica's.",
    )
    tokens: int | None = Field(
        default=None, gt=0, le=16_777_216, description="Tokens of a sequence; a model's own if left out."
    )


class Adapters(Section):
    """Parameter-efficient tuning: what is trained beside, or instead of, the frozen weights."""

    rank: int = Field(default=16, ge=0, le=65_536, description="Rank of LoRA's matrices; 0 for none.")
    covers_mlp: bool = Field(default=True, alias="mlp", description="Whether MLPs have them, too.")
    base_precision: Literal["bf16", "fp8", "nf4"] = Field(
        default="bf16", description="Format of the frozen weights; nf4 is QLoRA's."
    )
    num_trained_layers: int | None = Field(
        default=None, gt=0, alias="last_layers", description="Train the last layers only; all if left out."
    )


class Offload(Section):
    """What is kept outside the accelerators."""

    optimizer_frac: Fraction = Field(default=0.0, alias="optimizer", description="Share of optimiser state.")
    activation_frac: Fraction = Field(default=0.0, alias="activations", description="Share of activations.")
    weight_frac: Fraction = Field(default=0.0, alias="weights", description="Share of weights.")
    to: Literal["cpu", "nvme"] = Field(default="cpu", description="Host memory, or local drives.")
    update: Literal["host", "accelerator"] = Field(
        default="host", description="Who updates weights whose state is offloaded."
    )


class Compression(Section):
    """Compression of gradients before they are summed up."""

    ratio: PositiveFraction = Field(description="Bytes sent over bytes of the gradients.")
    codec_bytes: Bytes = Field(
        default=12.0, alias="codec_traffic", description="Memory traffic of the codec per gradient."
    )


class Dataset(Section):
    """What is read to train on."""

    store: str | None = Field(default=None, description="Store of the cluster that holds it.")
    bytes_per_token: Bytes | None = Field(
        default=None, description="Bytes read per token; 4 (an index of the vocabulary) if left out."
    )
    bytes_per_sample: Bytes | None = Field(default=None, description="Bytes read per sample, in its place.")
    samples_per_file: int = Field(
        default=1,
        gt=0,
        le=1_000_000_000_000,
        description="Samples of bytes_per_sample that one file holds, read together: 1 for images, many for "
        "the records of a recommender. Tokens lie in large files anyway.",
    )
    preprocessing_bytes_per_s: BytesPerSecond | None = Field(
        default=None,
        alias="preprocessing_rate",
        description="Rate at which the processors of one node prepare samples; no limit if left out.",
    )
    core_preprocessing_bytes_per_s: BytesPerSecond | None = Field(
        default=None,
        alias="preprocessing_rate_per_core",
        description="Rate of one core, in its place: all cores of the node's processors prepare samples.",
    )
    staged_from: str | None = Field(
        default=None,
        description="Store that it is copied from before training begins, to the store above; it lies there "
        "already if left out.",
    )
    is_reshuffled: bool = Field(
        default=False,
        alias="reshuffle",
        description="Whether it is written anew, in another order, between epochs; orders are drawn while "
        "reading if not.",
    )

    @model_validator(mode="after")
    def _has_one_rate(self) -> Self:
        if self.preprocessing_bytes_per_s is not None and self.core_preprocessing_bytes_per_s is not None:
            message = "give either preprocessing_rate or preprocessing_rate_per_core"
            raise PydanticCustomError("dataset", message)
        if self.samples_per_file > 1 and self.bytes_per_sample is None:
            raise PydanticCustomError("dataset", "samples_per_file is of no effect without bytes_per_sample")
        return self

    @property
    def bytes_per_file(self) -> float | None:
        """Bytes of one file of samples; None where tokens lie in large files."""
        return None if self.bytes_per_sample is None else self.bytes_per_sample * self.samples_per_file


class Checkpoint(Section):
    """What is saved, where, and how often."""

    store: str | None = Field(default=None, description="Store of the cluster that it goes to.")
    interval_s: PositiveSeconds | Literal["auto"] = Field(
        default="auto", alias="interval", description="Time between checkpoints; auto: Daly's optimum."
    )
    mode: CheckpointMode = Field(
        default=CheckpointMode.SYNCHRONOUS,
        description="Whether training waits for the write, or for the copy to the host only.",
    )
    changed_frac: PositiveFraction = Field(
        default=1.0, alias="changed", description="Share that an incremental checkpoint writes."
    )
    full_every: int = Field(
        default=1, gt=0, le=1_000_000, description="Every so many checkpoints a full one is written."
    )
    barrier_s: Seconds = Field(
        default=5.0,
        alias="barrier",
        description="Time of each save in which ranks agree on it and serialise, beside copy or write: an "
        "estimate, below the 6.3 s that PyTorch measured for asynchronous saves of a 7B model.",
    )
    num_kept: int = Field(default=2, gt=0, le=1_000_000, alias="keep", description="Checkpoints kept.")


class Rollout(Section):
    """Generation of samples before each training step (reinforcement learning)."""

    prompt_tokens: int = Field(gt=0, le=1_000_000, description="Tokens of a prompt.")
    output_tokens: int = Field(gt=0, le=1_000_000, description="Mean tokens generated per sample.")
    max_concurrent: int = Field(
        default=256, gt=0, le=1_000_000, description="Samples that one copy of the model generates at once."
    )
    tensor: int = Field(default=1, gt=0, le=1024, description="Accelerators of one generating copy.")
    engine: Annotated[Engine, Reference("engines")] = Field(
        default="vllm", validate_default=True, description="Engine that generates."
    )
    length_tail_factor: Ratio = Field(
        default=1.5,
        ge=1.0,
        alias="length_tail",
        description="Longest sample of a batch over the mean: the phase ends with it.",
    )


class Sweep(Section):
    """A search over hyper-parameters: equal trials of the job."""

    trials: int = Field(gt=0, le=1_000_000, description="Trials in all.")
    concurrent: int = Field(default=1, gt=0, le=1_000_000, description="Trials at the same time.")


class TrainingJob(Section):
    """One training job."""

    kind: JobKind = Field(default=JobKind.PRETRAIN, description="pretrain, finetune, lora, rl or sweep.")
    model: Annotated[AnyModel, Reference("models")] = Field(
        description="Model: a catalogue name, a Hugging Face config.json, or {base: NAME, field: value}."
    )
    software: Annotated[Software, Reference("software")] = Field(
        default="megatron", validate_default=True, description="Training framework, a catalogue name."
    )
    precision: Datatype = Field(
        default=Datatype.BF16,
        description="Datatype of the linear layers; attention's core and logits stay in 16 bits beside "
        "narrower ones.",
    )
    num_accelerators: int | None = Field(
        default=None, gt=0, le=10_000_000, description="Accelerators; or give num_nodes."
    )
    num_nodes: int | None = Field(
        default=None,
        gt=0,
        le=_MOST,
        description="Whole nodes; all of the cluster, spares too, if neither is given.",
    )
    parallelism: TrainingParallelism = Field(
        default_factory=TrainingParallelism, description="How it is spread."
    )
    batch: Batch = Field(description="Sequences of one optimiser step.")
    recompute: Recompute = Field(
        default=Recompute.NONE, description="Activations computed again: none, selective or full."
    )
    num_recomputed_layers: int | None = Field(
        default=None,
        ge=0,
        alias="recompute_layers",
        description="Layers of full recomputation; all if left out.",
    )
    recomputed_modules: tuple[RecomputedModule, ...] = Field(
        default=(),
        alias="recompute_modules",
        description="Parts of layers computed again by themselves: layernorm, moe_act, mla_up_proj, mlp.",
    )
    sharding: Sharding = Field(
        default=Sharding.OPTIMIZER,
        description="What data-parallel ranks share out: none, optimizer (ZeRO-1), gradients (2), full (3).",
    )
    optimizer: OptimizerName = Field(default=OptimizerName.ADAMW, description="Optimiser.")
    dropout: bool | None = Field(default=None, description="Whether dropout is used; the software's default.")
    num_logit_heads: int = Field(
        default=1, gt=0, le=16, alias="logit_heads", description="Heads of multi-token prediction."
    )
    tokens: float | None = Field(default=None, gt=0, allow_inf_nan=False, description="Tokens to train on.")
    steps: int | None = Field(default=None, gt=0, le=10**12, description="Optimiser steps, in their place.")
    dataset_tokens: float | None = Field(
        default=None, gt=0, allow_inf_nan=False, description="Tokens of the data set, for epochs."
    )
    epochs: float | None = Field(
        default=None, gt=0, allow_inf_nan=False, description="Passes over the data set, in their place."
    )
    imbalance: Ratio = Field(
        default=1.0, ge=1.0, description="Load of the busiest expert rank over the mean; 1 is balanced."
    )
    max_routed_nodes: int | None = Field(
        default=None, gt=0, description="Nodes that a token's experts may lie on; any if left out."
    )
    adapters: Adapters | None = Field(default=None, description="Parameter-efficient tuning.")
    teacher: Annotated[Model, Reference("models")] | None = Field(
        default=None, description="Model whose outputs are learnt (distillation)."
    )
    offload: Offload = Field(default_factory=Offload, description="What is kept in host memory or on drives.")
    compression: Compression | None = Field(default=None, description="Compression of gradients.")
    dataset: Dataset = Field(default_factory=Dataset, description="What is read.")
    checkpoint: Checkpoint | None = Field(default=None, description="What is saved; nothing if left out.")
    rollout: Rollout | None = Field(default=None, description="Generation, of kind rl.")
    sweep: Sweep | None = Field(default=None, description="Trials, of kind sweep.")
    starts_at_s: Seconds = Field(default=0.0, alias="start", description="When the job is submitted.")
    scheduled: Scheduled | None = Field(
        default=None,
        description="Waits in the queue of the section jobs for its nodes; it has nodes of its own if left "
        "out.",
    )
