"""Gamma arrivals: renewal gaps with a chosen coefficient of variation."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import Field

from dcsim.units import PerSecond, Unit
from dcsim.workloads.arrival_process import ArrivalProcess
from dcsim.workloads.renewal import CHUNK_LENGTH, renewal_instants

# Beyond 100 nearly every gap is zero and a few are longer than any run.
CoefficientOfVariation = Annotated[float, Unit("frac", minimum=0, maximum=100, exclusive=True)]


class Gamma(ArrivalProcess):
    """Gaps are Gamma distributed with shape 1/cv^2 and mean 1/rate; cv 1 is Poisson, above 1 is bursty.

    The first gap starts at 0 like every other one (an ordinary renewal process), so the count in a window
    that holds few bursts is not exactly rate x window.
    """

    rate_per_s: PerSecond = Field(alias="rate", description="Mean arrival rate.")
    cv: CoefficientOfVariation = Field(description="Coefficient of variation of the gaps, up to 100.")

    @property
    def mean_rate_per_s(self) -> float:
        """The rate."""
        return self.rate_per_s

    def instants(
        self, rng: np.random.Generator, duration_s: float, max_requests: int | None
    ) -> npt.NDArray[np.float64]:
        """Running sums of Gamma gaps."""
        shape = self.cv**-2
        scale_s = self.cv**2 / self.rate_per_s
        return renewal_instants(lambda: rng.gamma(shape, scale_s, CHUNK_LENGTH), duration_s, max_requests)
