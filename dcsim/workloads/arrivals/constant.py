"""Constant arrivals: equal gaps."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from pydantic import Field

from dcsim.units import PerSecond
from dcsim.workloads.arrival_process import ArrivalProcess
from dcsim.workloads.renewal import cut, require_end


class Constant(ArrivalProcess):
    """One request every 1/rate, the first at 0."""

    rate_per_s: PerSecond = Field(alias="rate", description="Arrival rate.")

    @property
    def mean_rate_per_s(self) -> float:
        """The rate."""
        return self.rate_per_s

    def instants(
        self, rng: np.random.Generator, duration_s: float, max_requests: int | None
    ) -> npt.NDArray[np.float64]:
        """Multiples of 1/rate."""
        require_end(duration_s, max_requests)
        num_in_time = math.inf if math.isinf(duration_s) else math.ceil(duration_s * self.rate_per_s) + 1
        num_requests = min(num_in_time, math.inf if max_requests is None else max_requests)
        return cut(np.arange(num_requests) / self.rate_per_s, duration_s, max_requests)
