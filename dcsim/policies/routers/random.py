"""Random: any replica with equal chance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from dcsim.policies.router import Router


class Random(Router):
    """A replica drawn uniformly."""

    needs_state: ClassVar[bool] = False

    def choose(self, num_outstanding: Sequence[int], request: int, rng: np.random.Generator) -> int:
        """Any replica."""
        return int(rng.integers(len(num_outstanding)))
