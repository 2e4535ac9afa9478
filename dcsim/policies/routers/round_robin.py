"""Round robin: replicas in turn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from dcsim.policies.router import Router


class RoundRobin(Router):
    """The request of number i goes to replica i modulo the number of replicas."""

    needs_state: ClassVar[bool] = False

    def choose(self, num_outstanding: Sequence[int], request: int, rng: np.random.Generator) -> int:
        """The replica whose turn it is."""
        return request % len(num_outstanding)
