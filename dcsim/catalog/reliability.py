"""Reliability presets: what fails how often, what it takes along, and how long people and software need."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from dcsim.catalog.entry import Entry
from dcsim.plugins import PolicyFrom
from dcsim.units import Fraction, PositiveSeconds, Ratio, Seconds
from dcsim.workloads.failure_time import FAILURE_TIMES, FailureTimes
from dcsim.workloads.failure_times.trace import Trace


class Component(StrEnum):
    """What fails."""

    ACCELERATOR = "accelerator"
    HBM = "hbm"
    NIC = "nic"
    LINK = "link"
    SWITCH = "switch"
    NODE = "node"
    DISK = "disk"
    PSU = "psu"
    COOLING_LOOP = "cooling_loop"
    SITE = "site"
    SOFTWARE = "software"


class Domain(StrEnum):
    """What failures are counted by, and what goes down together."""

    JOB = "job"  # no machine: the job crashes, and its nodes are used again at once
    ACCELERATOR = "accelerator"
    NIC = "nic"
    NODE = "node"
    SWITCH = "switch"
    RACK = "rack"
    POWER = "power"
    SITE = "site"


_COUNTED_BY = {
    Component.ACCELERATOR: Domain.ACCELERATOR,
    Component.HBM: Domain.ACCELERATOR,
    Component.NIC: Domain.NIC,
    Component.LINK: Domain.NIC,
    Component.SWITCH: Domain.SWITCH,
    Component.COOLING_LOOP: Domain.RACK,
    Component.SITE: Domain.SITE,
    Component.SOFTWARE: Domain.JOB,
}  # all others by node


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", validate_by_name=False, validate_by_alias=True)


class Observed(_Part):
    """Failures counted over a time: the counts as published, from which the rate follows."""

    num_failures: Ratio = Field(gt=0, alias="failures", description="Failures counted.")
    num_units: Ratio = Field(gt=0, alias="units", description="Units watched, counted by the cause's domain.")
    duration_s: PositiveSeconds = Field(alias="duration", description="How long they were watched.")


class Cause(_Part):
    """One cause of failures, with exactly one of: mtbf, observed, or times of policy trace."""

    component: Component = Field(description="Part that fails.")
    mtbf_s: PositiveSeconds | None = Field(
        default=None, alias="mtbf", description="Mean time between failures of one unit."
    )
    observed: Observed | None = Field(default=None, description="Counts from which the mean follows.")
    times: Annotated[FailureTimes, PolicyFrom(FAILURE_TIMES)] = Field(
        default="exponential",
        validate_default=True,
        description="Law of the time to failure of a unit, or a trace of failures.",
    )
    counted_by: Domain = Field(
        default=Domain.NODE,
        alias="per",
        description="Unit that the rate is counted by; told from the component if left out.",
    )
    takes_down: Domain = Field(
        default=Domain.NODE,
        alias="takes_down",
        description="What goes down at once: a node (also for accelerators and NICs), all nodes of a switch, "
        "rack, power domain or site, or only the job. Told from the component if left out.",
    )
    slowdown_frac: Ratio | None = Field(
        default=None,
        gt=0,
        alias="slowdown",
        description="How much slower the node computes, where it goes on in silence; it stops if left out.",
    )
    repair_s: PositiveSeconds | None = Field(
        default=None, alias="repair", description="Mean repair time, where it differs from the others'."
    )

    @model_validator(mode="before")
    @classmethod
    def _by_component(cls, value: object) -> object:
        """Fill in what a component implies."""
        if not isinstance(value, dict) or value.get("component") not in set(Component):
            return value
        counted = _COUNTED_BY.get(Component(value["component"]), Domain.NODE)
        small = counted in (Domain.ACCELERATOR, Domain.NIC)
        return {"per": counted.value, "takes_down": (Domain.NODE if small else counted).value, **value}

    @model_validator(mode="after")
    def _has_one_rate(self) -> Self:
        given = (self.mtbf_s is not None, self.observed is not None, isinstance(self.times, Trace))
        if sum(given) != 1:
            raise PydanticCustomError(
                "cause", "give exactly one of mtbf, observed and times: {policy: trace}"
            )
        if self.slowdown_frac is not None and self.takes_down is Domain.JOB:
            raise PydanticCustomError("cause", "a slowdown needs a node that is slow: set takes_down")
        return self

    @property
    def can_be_foreseen(self) -> bool:
        """Whether predictive maintenance may foresee it: it stops machines, not only a job."""
        return self.takes_down is not Domain.JOB and self.slowdown_frac is None

    @property
    def rate_per_s(self) -> float:
        """Failures per unit and second; 0 for recorded ones, which come when they came."""
        if self.observed is not None:
            return self.observed.num_failures / (self.observed.num_units * self.observed.duration_s)
        return 1.0 / self.mtbf_s if self.mtbf_s is not None else 0.0


class SlowNodes(_Part):
    """Nodes that are slow from the beginning and say nothing."""

    share_frac: Fraction = Field(alias="share", description="Share of nodes that are slow.")
    slowdown_frac: Ratio = Field(gt=0, alias="slowdown", description="How much slower they compute.")


class ReliabilityPreset(Entry):
    """What fails in a kind of cluster, and the times that recovery takes."""

    causes: dict[str, Cause] = Field(default_factory=dict, description="Causes of failures, by name.")
    slow_nodes: SlowNodes | None = Field(
        default=None, description="Nodes that are slow from the beginning; none if left out."
    )
    slow_detection_s: PositiveSeconds | None = Field(
        default=None,
        alias="slow_detection",
        description="Mean time until a slow node is found and drained; never if left out.",
    )
    detection_s: Seconds = Field(alias="detection", description="From a failure to an alarm.")
    diagnosis_s: Seconds = Field(alias="diagnosis", description="From the alarm to the name of the node.")
    swap_s: Seconds = Field(
        alias="swap", description="Time to put a spare node in the place of a failed one."
    )
    initialization_s: Seconds = Field(
        alias="initialization", description="Start of the processes and their communication groups."
    )
    repair_s: PositiveSeconds = Field(alias="repair", description="Mean time to repair a node.")
