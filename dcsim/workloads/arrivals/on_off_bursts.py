"""On-off bursts: silence, then a burst of requests, as in code completion."""

from __future__ import annotations

import math
from typing import Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from dcsim.formulas.lognormal import clipped_lognormal_mean
from dcsim.units import PerSecond, PositiveSeconds, Ratio
from dcsim.workloads.arrival_process import ArrivalProcess
from dcsim.workloads.arrivals.gamma import CoefficientOfVariation
from dcsim.workloads.renewal import renewal_instants

_CYCLES_PER_CHUNK = 512


class OffTime(BaseModel):
    """Silence between bursts: a log-normal time, clipped."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_by_name=False, validate_by_alias=True)

    median_s: PositiveSeconds = Field(alias="median", description="Median before clipping.")
    log_sd: Ratio = Field(le=5, description="Standard deviation of the logarithm.")
    min_s: PositiveSeconds = Field(alias="min", description="Shortest silence.")
    max_s: PositiveSeconds = Field(alias="max", description="Longest silence.")

    @model_validator(mode="after")
    def _is_ordered(self) -> Self:
        if self.min_s > self.max_s:
            raise PydanticCustomError("off_time", "min must not exceed max")
        return self


class BurstSize(BaseModel):
    """Requests in a burst: a log-normal number, rounded, at least 1 and at most a cap."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_by_name=False, validate_by_alias=True)

    median: float = Field(ge=1, le=1e6, description="Median before rounding and capping.")
    log_sd: Ratio = Field(le=5, description="Standard deviation of the logarithm.")
    max: int = Field(gt=0, le=10_000_000, description="Largest burst.")


class BurstRate(BaseModel):
    """Rate within a burst: log-normal, drawn anew for each burst."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_by_name=False, validate_by_alias=True)

    median_per_s: PerSecond = Field(alias="median", description="Median rate.")
    log_sd: Ratio = Field(le=5, description="Standard deviation of the logarithm.")


class OnOffBursts(ArrivalProcess):
    """Silence and bursts in turn, starting with a silence; within a burst gaps are Gamma distributed."""

    off: OffTime = Field(description="Silence between bursts: {median, log_sd, min, max}.")
    burst_size: BurstSize = Field(description="Requests in a burst: {median, log_sd, max}.")
    burst_rate: BurstRate = Field(description="Rate within a burst: {median, log_sd}.")
    burst_cv: CoefficientOfVariation = Field(
        description="Coefficient of variation of the gaps within a burst."
    )

    @property
    def mean_rate_per_s(self) -> float:
        """Mean burst size over mean cycle time (renewal-reward theorem), sizes taken as not rounded."""
        size = clipped_lognormal_mean(
            self.burst_size.median, self.burst_size.log_sd, 1.0, self.burst_size.max
        )
        off_s = clipped_lognormal_mean(self.off.median_s, self.off.log_sd, self.off.min_s, self.off.max_s)
        mean_gap_s = math.exp(self.burst_rate.log_sd**2 / 2) / self.burst_rate.median_per_s
        return size / (off_s + (size - 1.0) * mean_gap_s)

    def instants(
        self, rng: np.random.Generator, duration_s: float, max_requests: int | None
    ) -> npt.NDArray[np.float64]:
        """Running sums of gaps, of which the first of each burst is a silence."""
        return renewal_instants(lambda: self._gaps(rng), duration_s, max_requests)

    def _gaps(self, rng: np.random.Generator) -> npt.NDArray[np.float64]:
        normal = rng.standard_normal((3, _CYCLES_PER_CHUNK))
        off_s = self.off.median_s * np.exp(self.off.log_sd * normal[0])
        sizes = self.burst_size.median * np.exp(self.burst_size.log_sd * normal[1])
        sizes = np.clip(np.rint(sizes), 1, self.burst_size.max).astype(np.int64)
        mean_gaps_s = np.exp(-self.burst_rate.log_sd * normal[2]) / self.burst_rate.median_per_s
        gaps: npt.NDArray[np.float64]
        gaps = rng.gamma(self.burst_cv**-2, self.burst_cv**2, int(sizes.sum())) * np.repeat(
            mean_gaps_s, sizes
        )
        firsts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        gaps[firsts] = np.clip(off_s, self.off.min_s, self.off.max_s)
        return gaps
