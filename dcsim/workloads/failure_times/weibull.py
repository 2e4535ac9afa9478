"""Weibull lives: early failures or wear, by one shape."""

from __future__ import annotations

import math
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import Field

from dcsim.formulas.reliability import weibull_scale_s
from dcsim.units import Unit
from dcsim.workloads.failure_time import LifeDistribution

Shape = Annotated[float, Unit("frac", minimum=0.1, maximum=100)]


class Weibull(LifeDistribution):
    """P(T > t) = exp(-(t / scale)^shape). Below shape 1 new units fail most; above it old ones do.

    Clusters have been seen at shapes of 0.7 to 0.8 (B. Schroeder and G. A. Gibson, "A large-scale study of
    failures in high-performance computing systems", DSN 2006).
    """

    shape: Shape = Field(description="Shape; 1 is exponential.")

    def lives_s(self, rng: np.random.Generator, mean_s: float, num_units: int) -> npt.NDArray[np.float64]:
        """Scale times E^(1/shape), E exponential."""
        return weibull_scale_s(mean_s, self.shape) * rng.exponential(1.0, num_units) ** (1.0 / self.shape)

    def long_lives_s(
        self, rng: np.random.Generator, mean_s: float, num_units: int
    ) -> npt.NDArray[np.float64]:
        """With u = (t / scale)^shape the density t f(t) becomes Gamma of shape 1 + 1/shape in u."""
        u = rng.gamma(1.0 + 1.0 / self.shape, 1.0, num_units)
        return weibull_scale_s(mean_s, self.shape) * u ** (1.0 / self.shape)

    def survival(self, age_s: float, mean_s: float) -> float:
        """exp(-(t / scale)^shape)."""
        return math.exp(-((age_s / weibull_scale_s(mean_s, self.shape)) ** self.shape))
