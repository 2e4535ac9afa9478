"""All clocks of a cluster's failures: which comes next, of whatever law."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dcsim.catalog.reliability import Cause, Domain
from dcsim.errors import Problem, ScenarioError
from dcsim.sim.failures.clocks import Due, FailureClock, MemorylessClock, RecordedClock, RenewalClock
from dcsim.spec.reliability import ClusterShape, Prediction, Reliability
from dcsim.workloads.failure_time import ANY_NODE, LifeDistribution

_ALARM = "alarm: "  # before the name of a cause: its false alarms


class ClockSet:
    """The clocks of every cause, and of false alarms beside those that may be foreseen."""

    def __init__(
        self, reliability: Reliability, shape: ClusterShape, rng: np.random.Generator, folder: Path
    ) -> None:
        self._causes, self._shape, self._rng = reliability.causes, shape, rng
        self._memoryless = MemorylessClock(rng)
        self._renewals: dict[str, RenewalClock] = {}
        self._clocks: list[FailureClock] = [self._memoryless]
        for name, cause in self._causes.items():
            self._wind(name, cause, folder)
            if reliability.prediction is not None:
                self._wind_alarms(name, cause, reliability.prediction)

    @property
    def next_at_s(self) -> float:
        """When the next failure or false alarm comes."""
        return min(clock.next_at_s for clock in self._clocks)

    def pop(self) -> tuple[Due, bool]:
        """The failure that is next, and whether it is only a false alarm."""
        due = min(self._clocks, key=lambda clock: clock.next_at_s).pop()
        return Due(due.cause.removeprefix(_ALARM), due.unit), due.cause.startswith(_ALARM)

    def count_jobs(self, num_jobs: int, now_s: float) -> None:
        """So many jobs run from now on: each has crashes of its own."""
        for name, cause in self._causes.items():
            if cause.counted_by is Domain.JOB and cause.rate_per_s > 0:
                self._memoryless.set(name, cause.rate_per_s, num_jobs, now_s)

    def renew(self, due: Due, now_s: float) -> None:
        """A unit starts a new life; memoryless ones need none."""
        clock = self._renewals.get(due.cause)
        if clock is not None:
            clock.renew(due.unit, now_s)

    def _wind(self, name: str, cause: Cause, folder: Path) -> None:
        """Make the clock of a cause; causes counted by job are wound when jobs come."""
        recorded = cause.times.recorded(folder)
        if recorded is not None:
            highest = int(recorded.node.max(initial=ANY_NODE))
            if highest >= self._shape.num_nodes:
                message = f"failures of '{name}' name a node that the cluster does not have"
                raise ScenarioError(Problem(message, value=highest, remedy="Nodes are numbered from 0"))
            self._clocks.append(RecordedClock(name, recorded))
        elif cause.counted_by is not Domain.JOB:
            law, num_units = cause.times, self._num_units(cause)
            assert isinstance(law, LifeDistribution)
            if law.is_memoryless:
                self._memoryless.set(name, cause.rate_per_s, num_units, 0.0)
            else:
                clock = RenewalClock(name, law, 1.0 / cause.rate_per_s, num_units, self._rng)
                self._renewals[name] = clock
                self._clocks.append(clock)

    def _wind_alarms(self, name: str, cause: Cause, prediction: Prediction) -> None:
        """False alarms beside the failures that may be foreseen."""
        if cause.can_be_foreseen:
            rate_per_s = cause.rate_per_s * prediction.false_alarms_per_failure
            self._memoryless.set(_ALARM + name, rate_per_s, self._num_units(cause), 0.0)

    def _num_units(self, cause: Cause) -> int:
        return self._shape.num_units(cause.counted_by, self._shape.num_nodes)
