"""The scenario: one question about one datacenter."""

from __future__ import annotations

from pydantic import Field

from dcsim.spec.cluster import Cluster
from dcsim.spec.facility import Economics, Facility
from dcsim.spec.section import Section
from dcsim.spec.serving import Serving
from dcsim.units import PositiveSeconds, Seconds


class Scenario(Section):
    """One scenario file."""

    name: str = Field(description="Short name, used for output.")
    question: str = Field(default="", description="The question that the scenario asks.")
    duration_s: PositiveSeconds | None = Field(
        default=None,
        alias="duration",
        description="How long requests arrive; until the trace or the number of requests ends if left out.",
    )
    warmup_s: Seconds = Field(
        default=0.0, alias="warmup", description="Time cut off at the start before anything is measured."
    )
    drain_s: Seconds | None = Field(
        default=None,
        alias="drain",
        description="How long to go on after the last arrival; until all have finished, at most as long as the arrivals took and one hour more, if left out.",
    )
    replications: int = Field(
        default=1,
        gt=0,
        le=10_000,
        description="Independent repeats with different seeds; every number then gets a confidence interval.",
    )
    seed: int = Field(default=1, ge=0, lt=2**63, description="Seed of all random streams.")
    cluster: Cluster = Field(description="The machines.")
    serving: dict[str, Serving] = Field(min_length=1, description="Served models, by name.")
    facility: Facility | None = Field(
        default=None,
        description="Where the machines stand. Left out: no facility energy, carbon or electricity cost.",
    )
    economics: Economics | None = Field(default=None, description="What they cost. Left out: no cost.")
