"""Power of two choices: the less loaded of two random replicas."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from dcsim.policies.router import Router


class PowerOfTwo(Router):
    """Two different replicas are drawn, the one with fewer outstanding requests is taken.

    Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing", IEEE TPDS 12(10), 2001.
    """

    needs_state: ClassVar[bool] = True

    def num_pooled(self, num_replicas: int) -> int:
        """The two that are drawn."""
        return min(2, num_replicas)

    def choose(self, num_outstanding: Sequence[int], request: int, rng: np.random.Generator) -> int:
        """The less loaded of two; the first drawn on ties."""
        count = len(num_outstanding)
        first = int(rng.integers(count))
        if count == 1:
            return first
        second = (first + 1 + int(rng.integers(count - 1))) % count
        return second if num_outstanding[second] < num_outstanding[first] else first
