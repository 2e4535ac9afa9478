"""What every law of failure times is: lives drawn from a distribution, or failures as they were recorded."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydantic import Field

from dcsim.plugins import Policy

FAILURE_TIMES = "dcsim.workloads.failure_times"
ANY_NODE = -1


@dataclass(frozen=True, slots=True)
class RecordedFailures:
    """Failures of one cause in the whole cluster, as recorded: sorted instants, and the node or ANY_NODE."""

    at_s: npt.NDArray[np.float64]
    node: npt.NDArray[np.int64]


class FailureTimes(Policy):
    """Base of all laws of failure times."""

    def recorded(self, folder: Path) -> RecordedFailures | None:
        """The failures themselves, where they were recorded; None where lives are drawn.

        ``folder`` is where relative file names start. Raises ScenarioError for a bad file.
        """
        return None


class LifeDistribution(FailureTimes):
    """Base of the laws by which each unit lives, fails, is replaced and lives again."""

    has_aged_units: bool = Field(
        default=True,
        alias="aged",
        description="Whether units have run for long when the simulation begins, so that failures come at "
        "their long-run rate from the start; else all are new.",
    )

    @property
    def is_memoryless(self) -> bool:
        """Whether a unit's age says nothing about its future."""
        return False

    @abstractmethod
    def lives_s(self, rng: np.random.Generator, mean_s: float, num_units: int) -> npt.NDArray[np.float64]:
        """Times to failure of new units of that mean life."""

    @abstractmethod
    def long_lives_s(
        self, rng: np.random.Generator, mean_s: float, num_units: int
    ) -> npt.NDArray[np.float64]:
        """Lives found by looking at a random instant: drawn with a weight proportional to their length."""

    @abstractmethod
    def survival(self, age_s: float, mean_s: float) -> float:
        """Probability that a new unit lives longer than ``age_s``."""

    def first_s(self, rng: np.random.Generator, mean_s: float, num_units: int) -> npt.NDArray[np.float64]:
        """Times to the first failure from the start of the simulation.

        For aged units the life under way is length-biased and the instant is uniform in it, so that
        failures come at rate 1/mean from the start (equilibrium renewal process; D. R. Cox, Renewal Theory,
        1962).
        """
        if not self.has_aged_units:
            return self.lives_s(rng, mean_s, num_units)
        return rng.random(num_units) * self.long_lives_s(rng, mean_s, num_units)
