"""A burst: all requests at 0, as in offline throughput tests."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from pydantic import Field

from dcsim.workloads.arrival_process import ArrivalProcess


class Burst(ArrivalProcess):
    """All requests arrive at 0. Their number is given here or as the traffic's ``num_requests``."""

    num_requests: int | None = Field(
        default=None, gt=0, le=100_000_000, description="Number of requests; the traffic's if left out."
    )

    @property
    def default_num_requests(self) -> int | None:
        """The number of requests, if given here."""
        return self.num_requests

    @property
    def mean_rate_per_s(self) -> None:
        """None: one instant has no rate."""
        return None

    def instants(
        self, rng: np.random.Generator, duration_s: float, max_requests: int | None
    ) -> npt.NDArray[np.float64]:
        """Zeros."""
        given = [count for count in (self.num_requests, max_requests) if count is not None]
        if not given:
            raise ValueError("a burst needs a number of requests")
        return np.zeros(min(given))
