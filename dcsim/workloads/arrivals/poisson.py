"""Poisson arrivals: exponential gaps, never truncated."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from pydantic import Field

from dcsim.units import PerSecond
from dcsim.workloads.arrival_process import ArrivalProcess
from dcsim.workloads.renewal import CHUNK_LENGTH, renewal_instants


class Poisson(ArrivalProcess):
    """Independent users without memory: gaps are exponential with mean 1/rate."""

    rate_per_s: PerSecond = Field(alias="rate", description="Mean arrival rate.")

    @property
    def mean_rate_per_s(self) -> float:
        """The rate."""
        return self.rate_per_s

    def instants(
        self, rng: np.random.Generator, duration_s: float, max_requests: int | None
    ) -> npt.NDArray[np.float64]:
        """Running sums of exponential gaps."""
        mean_gap_s = 1.0 / self.rate_per_s
        return renewal_instants(lambda: rng.exponential(mean_gap_s, CHUNK_LENGTH), duration_s, max_requests)
