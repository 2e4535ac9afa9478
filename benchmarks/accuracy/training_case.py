"""A published training step as a question to the formulas: plans, machine, framework, measured time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from benchmarks.accuracy.training_rows import PublishedRow
from dcsim.formulas.datatypes import Datatype
from dcsim.formulas.training.choices import Recompute, Sharding
from dcsim.formulas.training.plan import TrainingPlan
from dcsim.policies.pipeline_schedules.interleaved import Interleaved
from dcsim.policies.pipeline_schedules.one_forward_one_backward import OneForwardOneBackward

DATATYPES = {
    "fp16": Datatype.FP16,
    "bf16": Datatype.BF16,
    "amp_bf16": Datatype.BF16,
    "amp_fp8": Datatype.FP8,
    "mxfp8": Datatype.FP8,
    "fp8": Datatype.FP8,
    "fp8-mx": Datatype.FP8,
    "fp8-cs": Datatype.FP8,
    "fp8-cs (fp8-mx)": Datatype.FP8,
    "fp8-tensorwise": Datatype.FP8,
    "fp8-rowwise": Datatype.FP8,
    "nvfp4": Datatype.NVFP4,
}
RECOMPUTE = {"full": Recompute.FULL, "selective": Recompute.SELECTIVE}


@dataclass(frozen=True, slots=True)
class Machine:
    """A node of the catalogue, and what differs from it: ports, their link, the axes of a torus."""

    node: str
    num_nics: int | None = None
    scale_out: str | None = None
    torus_axes: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """One measured step. Of several plans, where the source does not say which, the fastest is meant."""

    set_name: str
    label: str
    framework: str
    machine: Machine
    plans: tuple[TrainingPlan, ...]
    measured_s: float
    facts: Mapping[str, object] = field(default_factory=dict)  # of the software that the row states
    is_fitted: bool = False

    @property
    def plan(self) -> TrainingPlan:
        """The first plan: the sizes that all have in common."""
        return self.plans[0]


def plan_of(
    row: PublishedRow,
    *,
    has_sequence_parallelism: bool = False,
    sharding: Sharding = Sharding.OPTIMIZER,
    has_dropout: bool = False,
    micro_sequences: int | None = None,
    virtual_stages: int | None = None,
) -> TrainingPlan:
    """The plan that a row spells out; options are what its source says elsewhere."""
    chunks = row.virtual_stages if virtual_stages is None else virtual_stages
    return TrainingPlan(
        shape=row.shape,
        num_sequences=row.num_sequences,
        num_sequence_tokens=row.num_sequence_tokens,
        schedule=Interleaved() if chunks > 1 else OneForwardOneBackward(),
        micro_sequences=micro_sequences or row.micro_sequences or 1,
        tensor=row.tensor,
        pipeline=row.pipeline,
        data=row.data or row.num_accelerators // (row.tensor * row.pipeline * row.context),
        context=row.context,
        expert=row.expert,
        virtual_stages=chunks,
        has_sequence_parallelism=has_sequence_parallelism,
        recompute=RECOMPUTE.get(row.recompute, Recompute.NONE),
        sharding=sharding,
        linear=DATATYPES[row.precision.lower()] if row.precision else Datatype.BF16,
        has_dropout=has_dropout,
    )


def label_of(row: PublishedRow) -> str:
    """A short name of a row: model, device, sizes."""
    sizes = [f"{row.num_accelerators} x {row.device}"]
    names = (
        ("tp", row.tensor),
        ("pp", row.pipeline),
        ("cp", row.context),
        ("ep", row.expert),
        ("mb", row.micro_sequences or 1),
    )
    sizes += [f"{name}{size}" for name, size in names if size > 1]
    sizes += [row.recompute] if row.recompute else []
    return f"{row.model}, {' '.join(sizes)} {row.precision} B{row.num_sequences} s{row.num_sequence_tokens}"
