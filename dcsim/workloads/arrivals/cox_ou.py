"""Cox arrivals with Ornstein-Uhlenbeck log-intensity: traffic whose rate drifts."""

from __future__ import annotations

import math
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic_core import PydanticCustomError

from dcsim.units import PerSecond, Ratio, Unit
from dcsim.workloads.arrival_process import ArrivalProcess
from dcsim.workloads.renewal import CHUNK_LENGTH, cut, require_end

_CELLS_PER_RELAXATION = 5  # grid cells in the shortest relaxation time
_CELLS_PER_BLOCK = 65_536
_REQUESTS_PER_BLOCK = 65_536
_MAX_FLUCTUATIONS = 16
_MAX_LOG_WEIGHT = 200.0  # exp(200) is far below the largest float

RelaxationTime = Annotated[float, Unit("s", minimum=0.01)]  # the grid follows it: shorter is white noise


class Fluctuation(BaseModel):
    """One Ornstein-Uhlenbeck part of the log-intensity."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_by_name=False, validate_by_alias=True)

    sd: Ratio = Field(le=3, description="Stationary standard deviation of the log-intensity, up to 3.")
    relaxation_s: RelaxationTime = Field(
        alias="relaxation_time", description="Time in which its autocorrelation falls to 1/e; at least 10 ms."
    )

    def decay(self, cell_s: float) -> float:
        """Autocorrelation over one grid cell."""
        return math.exp(-cell_s / self.relaxation_s)


class CoxOu(ArrivalProcess):
    """A doubly stochastic Poisson process: given its intensity, arrivals are Poisson.

    intensity(t) = rate x exp(sum_j (X_j(t) - sd_j^2 / 2)), where X_j are independent stationary
    Ornstein-Uhlenbeck processes with Cov(X_j(t), X_j(t + u)) = sd_j^2 exp(-|u| / relaxation_j); its mean is
    the rate. The index of dispersion of counts in a window T follows from the covariance of a log-normal
    intensity: 1 + (2 rate / T) int_0^T (T - u) (exp(sum_j sd_j^2 exp(-u / relaxation_j)) - 1) du.

    The paths are exact at grid points a fifth of the shortest relaxation time apart and the intensity is
    linear between them; arrivals come from unit-rate Poisson points by inverting the integrated intensity.
    """

    rate_per_s: PerSecond = Field(alias="rate", description="Mean arrival rate.")
    fluctuations: tuple[Fluctuation, ...] = Field(
        description="Parts of the log-intensity, 1 to 16: a list of {sd, relaxation_time}.",
    )

    @field_validator("fluctuations")
    @classmethod
    def _is_a_sum_of_few(cls, fluctuations: tuple[Fluctuation, ...]) -> tuple[Fluctuation, ...]:
        if not 1 <= len(fluctuations) <= _MAX_FLUCTUATIONS:
            raise PydanticCustomError("cox_ou", "must list 1 to {most} parts", {"most": _MAX_FLUCTUATIONS})
        return fluctuations

    @property
    def mean_rate_per_s(self) -> float:
        """The rate."""
        return self.rate_per_s

    def instants(
        self, rng: np.random.Generator, duration_s: float, max_requests: int | None
    ) -> npt.NDArray[np.float64]:
        """Unit-rate Poisson points, mapped through the inverse of the integrated intensity."""
        require_end(duration_s, max_requests)
        noise, points = rng.spawn(2)
        cell_s = min(part.relaxation_s for part in self.fluctuations) / _CELLS_PER_RELAXATION
        num_cells = int(np.clip(_REQUESTS_PER_BLOCK / (self.rate_per_s * cell_s), 1, _CELLS_PER_BLOCK))
        state = noise.standard_normal(len(self.fluctuations)) * [part.sd for part in self.fluctuations]
        intensity = self._intensity(state[np.newaxis, :])
        levels = _UnitRatePoints(points)
        num_blocks, num_instants, level = 0, 0, 0.0
        chunks: list[npt.NDArray[np.float64]] = [np.empty(0)]
        while num_blocks * num_cells * cell_s < duration_s and (
            max_requests is None or num_instants < max_requests
        ):
            path = self._path(noise, state, num_cells, cell_s)
            state = path[-1]
            intensity = np.concatenate([intensity[-1:], self._intensity(path)])
            area = np.concatenate([[0.0], np.cumsum((intensity[:-1] + intensity[1:]) * (cell_s / 2))]) + level
            grid_s = (num_blocks * num_cells + np.arange(num_cells + 1)) * cell_s
            level = float(area[-1])
            chunks.append(np.interp(levels.up_to(level), area, grid_s))
            num_blocks, num_instants = num_blocks + 1, num_instants + len(chunks[-1])
        return cut(np.concatenate(chunks), duration_s, max_requests)

    def _intensity(self, path: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        correction = sum(part.sd**2 for part in self.fluctuations) / 2
        intensity: npt.NDArray[np.float64] = self.rate_per_s * np.exp(path.sum(axis=1) - correction)
        return intensity

    def _path(
        self, noise: np.random.Generator, state: npt.NDArray[np.float64], num_cells: int, cell_s: float
    ) -> npt.NDArray[np.float64]:
        """The parts at the ends of the next grid cells, shape (num_cells, parts)."""
        shocks = noise.standard_normal((num_cells, len(self.fluctuations)))
        columns = []
        for index, part in enumerate(self.fluctuations):
            decay = part.decay(cell_s)
            scaled = shocks[:, index] * (part.sd * math.sqrt(1.0 - decay**2))
            columns.append(_autoregression(float(state[index]), scaled, decay))
        return np.stack(columns, axis=1)


class _UnitRatePoints:
    """A Poisson process of rate 1, read off piece by piece."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._pending = np.cumsum(rng.standard_exponential(CHUNK_LENGTH))

    def up_to(self, level: float) -> npt.NDArray[np.float64]:
        """The points not given before, up to ``level``."""
        while self._pending[-1] <= level:
            more = self._pending[-1] + np.cumsum(self._rng.standard_exponential(CHUNK_LENGTH))
            self._pending = np.concatenate([self._pending, more])
        num_given = int(np.searchsorted(self._pending, level, side="right"))
        given, self._pending = self._pending[:num_given], self._pending[num_given:]
        return given


def _autoregression(start: float, shocks: npt.NDArray[np.float64], decay: float) -> npt.NDArray[np.float64]:
    """x_k = decay x_(k-1) + shocks_k, x_0 = start, as weighted running sums: it loops over blocks."""
    block_length = max(1, int(_MAX_LOG_WEIGHT / -math.log(decay)))
    path = np.empty(len(shocks))
    for first in range(0, len(shocks), block_length):
        block = shocks[first : first + block_length]
        weights = decay ** -np.arange(1.0, len(block) + 1)
        path[first : first + len(block)] = (start + np.cumsum(block * weights)) / weights
        start = float(path[first + len(block) - 1])
    return path
