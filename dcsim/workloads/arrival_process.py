"""What every arrival process is: instants of arrival, or a fixed number of clients."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
import numpy.typing as npt

from dcsim.plugins import Policy


class ArrivalProcess(Policy):
    """Base of all arrival processes."""

    @property
    def concurrency(self) -> int | None:
        """Clients of a closed loop, each with one request at a time; None for an open loop."""
        return None

    @property
    def default_num_requests(self) -> int | None:
        """How many requests the process makes by itself (a burst); None if only the duration ends it."""
        return None

    @property
    def default_duration_s(self) -> float | None:
        """How long the process lasts by itself (rate stages); None if it goes on for ever."""
        return None

    @property
    @abstractmethod
    def mean_rate_per_s(self) -> float | None:
        """Long-run arrival rate; None for a closed loop or a burst."""

    def mean_rate_within(self, started_at_s: float, ended_at_s: float) -> float | None:
        """Expected arrivals per second of a stretch of time; None for a closed loop or a burst."""
        return self.mean_rate_per_s

    @abstractmethod
    def instants(
        self, rng: np.random.Generator, duration_s: float, max_requests: int | None
    ) -> npt.NDArray[np.float64]:
        """Sorted instants in [0, duration_s), at most ``max_requests`` of them; none for a closed loop.

        ``duration_s`` may be infinite if ``max_requests`` is given. The same generator state gives the same
        instants whatever the two limits, only more or fewer of them.
        """
