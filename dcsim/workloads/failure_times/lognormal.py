"""Log-normal lives: most fail about the median, a few live very long."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import Field

from dcsim.units import Unit
from dcsim.workloads.failure_time import LifeDistribution

CoefficientOfVariation = Annotated[float, Unit("frac", minimum=0, maximum=100, exclusive=True)]


class Lognormal(LifeDistribution):
    """ln T is normal, with sigma^2 = ln(1 + cv^2) and mu = ln(mean) - sigma^2 / 2."""

    cv: CoefficientOfVariation = Field(description="Coefficient of variation of the lives.")

    def lives_s(self, rng: np.random.Generator, mean_s: float, num_units: int) -> npt.NDArray[np.float64]:
        """Exponentials of normal draws."""
        mu, sigma = self._log_moments(mean_s)
        return rng.lognormal(mu, sigma, num_units)

    def long_lives_s(
        self, rng: np.random.Generator, mean_s: float, num_units: int
    ) -> npt.NDArray[np.float64]:
        """The length-biased law is log-normal with mu + sigma^2."""
        mu, sigma = self._log_moments(mean_s)
        return rng.lognormal(mu + sigma**2, sigma, num_units)

    def survival(self, age_s: float, mean_s: float) -> float:
        """1 - Phi((ln t - mu) / sigma)."""
        mu, sigma = self._log_moments(mean_s)
        return 1.0 - NormalDist(mu, sigma).cdf(math.log(age_s)) if age_s > 0 else 1.0

    def _log_moments(self, mean_s: float) -> tuple[float, float]:
        variance = math.log1p(self.cv**2)
        return math.log(mean_s) - variance / 2.0, math.sqrt(variance)
