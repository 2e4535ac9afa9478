"""Least outstanding: the replica with the fewest requests, running ones included."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from dcsim.policies.router import Router


class LeastOutstanding(Router):
    """The replica with the fewest waiting and running requests; ties go round, from the request's turn on."""

    needs_state: ClassVar[bool] = True

    def choose(self, num_outstanding: Sequence[int], request: int, rng: np.random.Generator) -> int:
        """The least loaded replica; on ties the first at or after ``request`` modulo their number."""
        fewest = min(num_outstanding)
        turn = request % len(num_outstanding)
        try:
            return num_outstanding.index(fewest, turn)
        except ValueError:
            return num_outstanding.index(fewest)
