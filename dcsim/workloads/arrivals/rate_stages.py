"""Rate stages: a load test that holds one rate after another."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic_core import PydanticCustomError

from dcsim.units import PositiveSeconds, Unit
from dcsim.workloads.arrival_process import ArrivalProcess
from dcsim.workloads.renewal import cut

_MAX_EXPECTED = 1e8
_ROUNDING = 1e-9  # 2.3 /s for 10 s is 23 requests, not 22


class StageCounts(StrEnum):
    """What is random about the number of requests in a stage."""

    POISSON = "poisson"
    EXACT = "exact"


class Stage(BaseModel):
    """One rate, held for some time."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_by_name=False, validate_by_alias=True)

    rate_per_s: Annotated[float, Unit("1/s", minimum=0)] = Field(
        alias="rate", description="Mean arrival rate; 0 is a pause."
    )
    duration_s: PositiveSeconds = Field(alias="duration", description="Length of the stage.")


class RateStages(ArrivalProcess):
    """Poisson arrivals whose rate is constant within each stage; after the last stage nothing arrives.

    ``counts: exact`` gives each stage the whole number of requests in rate x duration: a Poisson process
    conditioned on its count, whose n instants are the running sums of n + 1 exponential gaps scaled to the
    stage's duration. The load generator inference-perf (kubernetes-sigs/inference-perf, load_timer.py,
    ConstantLoadTimer) scales n gaps instead, so that its last request falls on the end of the stage.
    """

    stages: tuple[Stage, ...] = Field(description="The stages: a list of {rate, duration}.")
    counts: StageCounts = Field(
        default=StageCounts.POISSON,
        description="poisson: random counts; exact: rate x duration requests in every stage.",
    )

    @field_validator("stages")
    @classmethod
    def _has_requests_in_reason(cls, stages: tuple[Stage, ...]) -> tuple[Stage, ...]:
        if all(stage.rate_per_s == 0 for stage in stages):
            raise PydanticCustomError("rate_stages", "at least one stage needs a rate above 0")
        expected = sum(stage.rate_per_s * stage.duration_s for stage in stages)
        if expected > _MAX_EXPECTED:
            raise PydanticCustomError(
                "rate_stages", "make about {expected} requests: too many", {"expected": f"{expected:.3g}"}
            )
        return stages

    @property
    def default_duration_s(self) -> float:
        """All stages together."""
        return sum(stage.duration_s for stage in self.stages)

    @property
    def mean_rate_per_s(self) -> float:
        """Mean over all stages."""
        return sum(stage.rate_per_s * stage.duration_s for stage in self.stages) / self.default_duration_s

    def mean_rate_within(self, started_at_s: float, ended_at_s: float) -> float:
        """Mean over the stages, as far as they lie within; over all of them if none does."""
        begins_at_s, num_requests, overlap_s = 0.0, 0.0, 0.0
        for stage in self.stages:
            ends_at_s = begins_at_s + stage.duration_s
            within_s = max(min(ends_at_s, ended_at_s) - max(begins_at_s, started_at_s), 0.0)
            num_requests, overlap_s = num_requests + stage.rate_per_s * within_s, overlap_s + within_s
            begins_at_s = ends_at_s
        return num_requests / overlap_s if overlap_s > 0 else self.mean_rate_per_s

    def instants(
        self, rng: np.random.Generator, duration_s: float, max_requests: int | None
    ) -> npt.NDArray[np.float64]:
        """Every stage's instants, one stage after another."""
        started_at_s, parts = 0.0, []
        for stage in self.stages:
            parts.append(started_at_s + self._within(rng, stage))
            started_at_s += stage.duration_s
        return cut(np.concatenate(parts), duration_s, max_requests)

    def _within(self, rng: np.random.Generator, stage: Stage) -> npt.NDArray[np.float64]:
        expected = stage.rate_per_s * stage.duration_s
        is_exact = self.counts is StageCounts.EXACT
        num_requests = int(expected + _ROUNDING) if is_exact else int(rng.poisson(expected))
        sums = np.cumsum(rng.standard_exponential(num_requests + 1))
        within: npt.NDArray[np.float64] = sums[:-1] * (stage.duration_s / sums[-1])
        return within
