"""Clocks of failures: when the next one comes, and from which unit. One pending instant for each clock.

The superposition of memoryless units is memoryless, so that thousands of units cost one event for each
failure and none for each unit. Units with other lives are kept in a heap by their next failure.
"""

from __future__ import annotations

import heapq
import math
from typing import NamedTuple, Protocol

import numpy as np

from dcsim.workloads.failure_time import ANY_NODE, LifeDistribution, RecordedFailures


class Due(NamedTuple):
    """A failure that is due: the cause and the unit, by number; ANY_NODE for one to be drawn."""

    cause: str
    unit: int


class FailureClock(Protocol):
    """Tells when its next failure comes."""

    @property
    def next_at_s(self) -> float:
        """The instant of the next failure; infinite if there is none."""

    def pop(self) -> Due:
        """The failure that is due now; the clock then points to the one after it."""


class MemorylessClock:
    """All causes with exponential lives together."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.next_at_s = math.inf
        self._rng = rng
        self._causes: list[str] = []
        self._num_units: list[int] = []
        self._rates_per_s: list[float] = []
        self._total_per_s = 0.0

    def set(self, cause: str, rate_per_s: float, num_units: int, now_s: float) -> None:
        """Let so many units of a cause fail from now on; what was due is drawn anew, which changes no law."""
        if cause not in self._causes:
            self._causes.append(cause)
            self._num_units.append(0)
            self._rates_per_s.append(0.0)
        at = self._causes.index(cause)
        self._num_units[at], self._rates_per_s[at] = num_units, rate_per_s * num_units
        self._total_per_s = math.fsum(self._rates_per_s)
        self._draw(now_s)

    def pop(self) -> Due:
        """The cause by its share of the rate, the unit at random."""
        cause = int(self._rng.choice(len(self._causes), p=np.array(self._rates_per_s) / self._total_per_s))
        unit = int(self._rng.integers(self._num_units[cause]))
        self._draw(self.next_at_s)
        return Due(self._causes[cause], unit)

    def _draw(self, now_s: float) -> None:
        total = self._total_per_s
        self.next_at_s = now_s + float(self._rng.exponential(1.0 / total)) if total > 0 else math.inf


class RenewalClock:
    """The units of one cause whose lives are not memoryless."""

    def __init__(
        self, cause: str, law: LifeDistribution, mean_s: float, num_units: int, rng: np.random.Generator
    ) -> None:
        self._cause, self._law, self._mean_s, self._rng = cause, law, mean_s, rng
        first_s = law.first_s(rng, mean_s, num_units)
        self._heap = [(at_s, unit) for unit, at_s in enumerate(first_s.tolist())]
        heapq.heapify(self._heap)

    @property
    def next_at_s(self) -> float:
        """The next failure of any unit."""
        return self._heap[0][0] if self._heap else math.inf

    def pop(self) -> Due:
        """The unit leaves the heap until it is renewed."""
        _, unit = heapq.heappop(self._heap)
        return Due(self._cause, unit)

    def renew(self, unit: int, now_s: float) -> None:
        """A unit starts a new life."""
        life_s = float(self._law.lives_s(self._rng, self._mean_s, 1)[0])
        heapq.heappush(self._heap, (now_s + life_s, unit))


class RecordedClock:
    """Failures of one cause as they were recorded."""

    def __init__(self, cause: str, recorded: RecordedFailures) -> None:
        self._cause, self._recorded, self._at = cause, recorded, 0

    @property
    def next_at_s(self) -> float:
        """The next line of the record."""
        at_s = self._recorded.at_s
        return float(at_s[self._at]) if self._at < len(at_s) else math.inf

    def pop(self) -> Due:
        """The next line; ANY_NODE where it names none."""
        node = int(self._recorded.node[self._at])
        self._at += 1
        return Due(self._cause, node if node >= 0 else ANY_NODE)
