"""Traffic: when requests come, how long they are, and what they share."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from dcsim.plugins import PolicyFrom
from dcsim.spec.section import Section
from dcsim.units import Ratio
from dcsim.workloads.arrival_process import ArrivalProcess
from dcsim.workloads.length_distribution import LengthDistribution
from dcsim.workloads.trace_format import TraceFormat


class SharedPrefix(Section):
    """A system prompt that requests share. It is part of each prompt's length."""

    num_tokens: int = Field(gt=0, alias="tokens", description="Length of the shared prefix.")
    num_variants: int = Field(default=1, gt=0, alias="variants", description="Number of different prefixes, drawn with equal chance.")


class TraceSpec(Section):
    """A recorded trace to replay."""

    path: str = Field(description="File, relative to the scenario's folder.")
    format: Annotated[TraceFormat, PolicyFrom("dcsim.workloads.traces")] = Field(description="Format: azure_llm_2023, csv or parquet with named columns.")
    rate_scale: Ratio = Field(default=1.0, gt=0, description="Factor on the arrival rate: instants are divided by it. It distorts daily shape; 1 replays as recorded.")


class Traffic(Section):
    """Requests of one workload: arrivals with lengths, or a trace."""

    arrivals: Annotated[ArrivalProcess, PolicyFrom("dcsim.workloads.arrivals")] | None = Field(default=None, description="Arrival process.")
    lengths: Annotated[LengthDistribution, PolicyFrom("dcsim.workloads.lengths")] | None = Field(default=None, description="Prompt and output lengths.")
    trace: TraceSpec | None = Field(default=None, description="A recorded trace, instead of arrivals and lengths.")
    shared_prefix: SharedPrefix | None = Field(default=None, description="A shared system prompt.")
    num_requests: int | None = Field(default=None, gt=0, description="Stop after so many requests.")
