"""Exponential lives: failures come at a constant rate, whatever the age."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from dcsim.workloads.failure_time import LifeDistribution


class Exponential(LifeDistribution):
    """P(T > t) = exp(-t / mean). What large fleets of mixed age look like."""

    @property
    def is_memoryless(self) -> bool:
        """True: the only continuous law of which that is so."""
        return True

    def lives_s(self, rng: np.random.Generator, mean_s: float, num_units: int) -> npt.NDArray[np.float64]:
        """Exponential draws."""
        return rng.exponential(mean_s, num_units)

    def long_lives_s(
        self, rng: np.random.Generator, mean_s: float, num_units: int
    ) -> npt.NDArray[np.float64]:
        """The length-biased law is Gamma of shape 2."""
        return rng.gamma(2.0, mean_s, num_units)

    def survival(self, age_s: float, mean_s: float) -> float:
        """exp(-t / mean)."""
        return math.exp(-age_s / mean_s)
