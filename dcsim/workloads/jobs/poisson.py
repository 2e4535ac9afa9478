"""Poisson submissions of jobs with lognormal or exponential run times."""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import StrEnum

import numpy as np
from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError

from dcsim.units import PerSecond, PositiveSeconds, Ratio
from dcsim.workloads.job_generator import JobGenerator
from dcsim.workloads.job_trace import Floats, JobTrace
from dcsim.workloads.renewal import CHUNK_LENGTH, renewal_instants


class RunTimes(StrEnum):
    """How run times are distributed."""

    LOGNORMAL = "lognormal"
    EXPONENTIAL = "exponential"


class Poisson(JobGenerator):
    """Independent submissions, run times of a given mean, and a mix of sizes and queues."""

    rate_per_s: PerSecond = Field(alias="rate", description="Mean rate of submission.")
    duration_mean_s: PositiveSeconds = Field(alias="duration_mean", description="Mean run time.")
    duration_cv: float = Field(
        default=2.0, gt=0, le=100, description="Coefficient of variation of lognormal run times."
    )
    durations: RunTimes = Field(
        default=RunTimes.LOGNORMAL, description="Distribution of the run times: lognormal or exponential."
    )
    sizes: Mapping[float, Ratio] = Field(
        default_factory=lambda: {1.0: 1.0},
        min_length=1,
        description="Accelerators that jobs ask for, each with its share of the jobs.",
    )
    queues: Mapping[str, Ratio] = Field(
        default_factory=lambda: {"": 1.0},
        min_length=1,
        description="Queues that jobs come from, each with its share of the jobs.",
    )
    num_jobs: int | None = Field(
        default=None, gt=0, le=10_000_000, alias="jobs", description="Stop after so many jobs."
    )

    @field_validator("sizes")
    @classmethod
    def _whole_or_fraction(cls, sizes: Mapping[float, float]) -> Mapping[float, float]:
        for size in sizes:
            if not size > 0 or (size > 1 and size != int(size)):
                message = "a job asks for a whole number of accelerators or a fraction of one, not {size}"
                raise PydanticCustomError("size", message, {"size": f"{size:g}"})
        return sizes

    @field_validator("sizes", "queues")
    @classmethod
    def _some_share(cls, shares: Mapping[object, float]) -> Mapping[object, float]:
        if not sum(shares.values()) > 0:
            raise PydanticCustomError("shares", "the shares must not all be zero")
        return shares

    def generate(self, rng: np.random.Generator, duration_s: float) -> JobTrace:
        """Draw the jobs; streams of submissions, run times, sizes and queues are apart."""
        arrivals, lengths, sizes, queues = rng.spawn(4)
        mean_gap_s = 1.0 / self.rate_per_s
        submitted_at_s = renewal_instants(
            lambda: arrivals.exponential(mean_gap_s, CHUNK_LENGTH), duration_s, self.num_jobs
        )
        count = len(submitted_at_s)
        run_s, none = self._durations_s(lengths, count), np.zeros(count)
        queue = tuple(queues.choice(np.array(list(self.queues), dtype=object), count, p=_fracs(self.queues)))
        return JobTrace(
            submitted_at_s=submitted_at_s,
            duration_s=run_s,
            num_accelerators=sizes.choice(np.array(list(self.sizes)), count, p=_fracs(self.sizes)),
            cores=none,
            memory_bytes=none,
            estimated_s=run_s,
            priority=none,
            queue=queue,
            user=queue,
            models=((),) * count,
            status=("",) * count,
        )

    def _durations_s(self, rng: np.random.Generator, count: int) -> Floats:
        if self.durations is RunTimes.EXPONENTIAL:
            return rng.exponential(self.duration_mean_s, count)
        variance = math.log1p(self.duration_cv**2)
        return rng.lognormal(math.log(self.duration_mean_s) - variance / 2, math.sqrt(variance), count)


def _fracs(shares: Mapping[object, float] | Mapping[float, float] | Mapping[str, float]) -> Floats:
    values = np.array(list(shares.values()))
    return np.asarray(values / values.sum(), dtype=np.float64)
