"""By load: replicas are lent below one load and taken back above another."""

from __future__ import annotations

import math

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from dcsim.policies.autoscaler import Autoscaler, FleetLoad
from dcsim.units import PositiveFraction


class ByLoad(Autoscaler):
    """A band of load in which nothing changes; outside it the load is brought to the middle of the band.

    The load is outstanding requests / (replicas on x ``full_at``). Outside the band ceil(replicas on x load /
    middle) replicas are on: the rule of the horizontal pod autoscaler (Kubernetes documentation, "Horizontal
    Pod Autoscaling", algorithm details), whose tolerance about its target is the band here.

    >>> band = ByLoad(lend_below="30 %", take_back_above="70 %", full_at=10)
    >>> band.num_wanted(FleetLoad(num_replicas=6, num_on=6, mean_outstanding=12.0, max_num_seqs=256))
    3
    """

    lend_below_frac: PositiveFraction = Field(
        default=0.3, alias="lend_below", description="Load below which replicas are switched off."
    )
    take_back_above_frac: PositiveFraction = Field(
        default=0.7, alias="take_back_above", description="Load above which replicas are switched on."
    )
    least: int = Field(default=1, gt=0, le=1_000_000, description="Replicas that always stay on.")
    full_at: int | None = Field(
        default=None,
        gt=0,
        le=1_000_000,
        description="Outstanding requests of a replica that are a load of 100 %; max_num_seqs if left out.",
    )

    @model_validator(mode="after")
    def _has_a_band(self) -> ByLoad:
        if self.lend_below_frac >= self.take_back_above_frac:
            raise PydanticCustomError("band", "lend_below must be less than take_back_above")
        return self

    @property
    def num_least(self) -> int:
        """As told."""
        return self.least

    def num_wanted(self, load: FleetLoad) -> int:
        """As many as bring the load to the middle of the band; as many as are on within it."""
        full = self.full_at or load.max_num_seqs
        load_frac = load.mean_outstanding / (load.num_on * full)
        wanted = load.num_on
        if not self.lend_below_frac <= load_frac <= self.take_back_above_frac:
            middle_frac = (self.lend_below_frac + self.take_back_above_frac) / 2
            wanted = math.ceil(load.mean_outstanding / (full * middle_frac))
        return min(max(wanted, self.least), load.num_replicas)
