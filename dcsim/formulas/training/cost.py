"""The time of operators on one accelerator, split by cause."""

from __future__ import annotations

from typing import NamedTuple


class Cost(NamedTuple):
    """Seconds in which operators compute, move memory, or are launched; times one after the other add up."""

    compute_s: float = 0.0
    memory_s: float = 0.0
    launch_s: float = 0.0

    @property
    def total_s(self) -> float:
        """All of it."""
        return self.compute_s + self.memory_s + self.launch_s

    def plus(self, other: Cost) -> Cost:
        """One after the other."""
        return Cost(
            self.compute_s + other.compute_s,
            self.memory_s + other.memory_s,
            self.launch_s + other.launch_s,
        )

    def times(self, factor: float) -> Cost:
        """So many of them, or stretched by a factor."""
        return Cost(self.compute_s * factor, self.memory_s * factor, self.launch_s * factor)


NOTHING = Cost()
