"""Poisson submissions of jobs with lognormal or exponential run times."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Self

import numpy as np
from pydantic import BaseModel, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from dcsim.errors import Problem, ScenarioError
from dcsim.plugins import Policy
from dcsim.units import PerSecond, PositiveSeconds, Ratio
from dcsim.workloads.job_generator import JobGenerator
from dcsim.workloads.job_table import MAX_ACCELERATORS
from dcsim.workloads.job_trace import Floats, JobTrace
from dcsim.workloads.renewal import CHUNK_LENGTH, renewal_instants

MAX_JOBS = 1_000_000  # of one run: some minutes under any scheduler


class RunTimes(StrEnum):
    """How run times are distributed."""

    LOGNORMAL = "lognormal"
    EXPONENTIAL = "exponential"


class SizeShare(BaseModel):
    """Jobs of one size."""

    model_config = Policy.model_config

    num_accelerators: float = Field(
        alias="accelerators",
        gt=0,
        le=MAX_ACCELERATORS,
        description="Accelerators that a job asks for: a whole number, or a fraction of one.",
    )
    share: Ratio = Field(default=1.0, description="Weight of this size: its part of the sum of all.")

    @field_validator("num_accelerators")
    @classmethod
    def _whole_or_fraction(cls, size: float) -> float:
        if size > 1 and size != int(size):
            message = "a job asks for a whole number of accelerators or a fraction of one, not {size}"
            raise PydanticCustomError("size", message, {"size": f"{size:g}"})
        return size


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
    sizes: tuple[SizeShare, ...] = Field(
        default=(SizeShare.model_validate({"accelerators": 1}),),
        min_length=1,
        max_length=1000,
        description="Sizes of jobs with their shares of the jobs.",
    )
    queues: Mapping[str, Ratio] = Field(
        default_factory=lambda: {"": 1.0},
        min_length=1,
        description="Queues that jobs come from, each with its weight: its part of the sum of all.",
    )
    num_jobs: int | None = Field(
        default=None, gt=0, le=MAX_JOBS, alias="jobs", description="Stop after so many jobs."
    )

    @model_validator(mode="after")
    def _some_share(self) -> Self:
        if not sum(one.share for one in self.sizes) > 0 or not sum(self.queues.values()) > 0:
            raise PydanticCustomError("shares", "the shares must not all be zero")
        return self

    def generate(self, rng: np.random.Generator, duration_s: float) -> JobTrace:
        """Draw the jobs; streams of submissions, run times, sizes and queues are apart."""
        self._require_few(duration_s)
        arrivals, lengths, sizes, queues = rng.spawn(4)
        mean_gap_s = 1.0 / self.rate_per_s
        submitted_at_s = renewal_instants(
            lambda: arrivals.exponential(mean_gap_s, CHUNK_LENGTH), duration_s, self.num_jobs
        )
        count = len(submitted_at_s)
        run_s, none = self._durations_s(lengths, count), np.zeros(count)
        names = np.array(list(self.queues), dtype=object)
        queue = tuple(queues.choice(names, count, p=_fracs(self.queues.values())))
        shares = _fracs(one.share for one in self.sizes)
        return JobTrace(
            submitted_at_s=submitted_at_s,
            duration_s=run_s,
            num_accelerators=sizes.choice([one.num_accelerators for one in self.sizes], count, p=shares),
            cores=none,
            memory_bytes=none,
            estimated_s=run_s,
            priority=none,
            queue=queue,
            user=queue,
            models=((),) * count,
            status=("",) * count,
        )

    def _require_few(self, duration_s: float) -> None:
        """Raise ScenarioError for more jobs than a run can hold."""
        num_expected = self.rate_per_s * duration_s
        if self.num_jobs is None and MAX_JOBS < num_expected < math.inf:
            message = f"makes about {num_expected:.3g} jobs in {duration_s:.3g} s, more than {MAX_JOBS:,}"
            remedy = "Lower the rate, shorten the duration, or give a number of jobs"
            value = f"{self.rate_per_s:g} /s"
            raise ScenarioError(Problem(message, "jobs.arrivals.rate", value, remedy))

    def _durations_s(self, rng: np.random.Generator, count: int) -> Floats:
        if self.durations is RunTimes.EXPONENTIAL:
            return rng.exponential(self.duration_mean_s, count)
        variance = math.log1p(self.duration_cv**2)
        return rng.lognormal(math.log(self.duration_mean_s) - variance / 2, math.sqrt(variance), count)


def _fracs(shares: Iterable[float]) -> Floats:
    values = np.array(list(shares))
    return np.asarray(values / values.sum(), dtype=np.float64)
