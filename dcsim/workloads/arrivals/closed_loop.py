"""Closed loop: a fixed number of clients, each with one request at a time."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from pydantic import Field

from dcsim.workloads.arrival_process import ArrivalProcess


class ClosedLoop(ArrivalProcess):
    """Every client sends its next request at the moment its last one ended; all send their first at 0."""

    num_clients: int = Field(alias="concurrency", gt=0, le=100_000, description="Number of clients.")

    @property
    def concurrency(self) -> int:
        """The number of clients."""
        return self.num_clients

    @property
    def mean_rate_per_s(self) -> None:
        """None: the servers set the rate."""
        return None

    def instants(
        self, rng: np.random.Generator, duration_s: float, max_requests: int | None
    ) -> npt.NDArray[np.float64]:
        """Nothing: arrivals follow from completions."""
        return np.empty(0)
