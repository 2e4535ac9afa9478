"""Efficiency profiles: what share of its peak an accelerator reaches, operator by operator."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from dcsim.catalog.entry import Entry
from dcsim.formulas.datatypes import Datatype
from dcsim.units import PositiveFraction, Ratio, Seconds


class OperatorEfficiency(BaseModel):
    """A roofline with calibrated ceilings: t = launch + (t_c^4 + t_m^4)^(1/4).

    t_c = operations / (peak x compute), t_m = bytes / (bandwidth x memory).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    launch_s: Seconds = Field(alias="launch", description="Launch floor of one kernel.")
    compute_frac: PositiveFraction = Field(
        alias="compute", description="Share of the peak rate of operations."
    )
    memory_frac: PositiveFraction = Field(alias="memory", description="Share of the peak memory bandwidth.")


class ValidRange(BaseModel):
    """The shapes a profile was fitted on; beyond them it extrapolates, and the report says so."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_tokens: int = Field(gt=0, description="Most tokens in one step.")
    max_context_tokens: int = Field(gt=0, description="Longest context.")


class Efficiency(Entry):
    """One accelerator's efficiency, by operator and datatype."""

    gemm: dict[Datatype, OperatorEfficiency] = Field(description="Dense matrix multiplication.")
    grouped_gemm: dict[Datatype, OperatorEfficiency] = Field(
        default_factory=dict,
        description="Grouped matrix multiplication of experts, their sorting and gathering included; "
        "as gemm if left out.",
    )
    attention_decode: dict[Datatype, OperatorEfficiency] = Field(
        description="Decode attention, by KV-cache datatype."
    )
    attention_prefill: dict[Datatype, OperatorEfficiency] = Field(
        description="Prefill attention, by KV-cache datatype."
    )
    elementwise: OperatorEfficiency = Field(
        description="Norms, activations, rotary positions, residual adds, sampling."
    )
    causal_square_frac: Ratio = Field(
        alias="causal_square",
        description="Share of the full new-by-new square that a causal kernel computes: 0.5 ideal, "
        "1 for all of it.",
    )
    valid: ValidRange = Field(description="The range the profile was fitted on.")
