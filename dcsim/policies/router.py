"""What every router is: the choice of a replica for one request."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from dcsim.plugins import Policy


class Router(Policy):
    """Base of all routers. ``needs_state`` is False when the choice does not depend on the replicas' load."""

    needs_state: ClassVar[bool]

    def num_pooled(self, num_replicas: int) -> int:
        """Of so many replicas, how many share the load as if they had one queue: what an estimate assumes."""
        return num_replicas if self.needs_state else 1

    @abstractmethod
    def choose(self, num_outstanding: Sequence[int], request: int, rng: np.random.Generator) -> int:
        """The replica for the request of that number, given the waiting and running requests of each."""
