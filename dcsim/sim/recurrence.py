"""Counts what recurs: more than a run can hold, and the run says so instead of never being over."""

from __future__ import annotations

import simpy

from dcsim.errors import InfeasibleError
from dcsim.spec.recurrences import MAX_OCCURRENCES
from dcsim.units import span_text


class Recurrence:
    """Counts one kind of occurrence, such as the outages of switches or the backups of a store."""

    def __init__(self, environment: simpy.Environment, what: str, remedy: str) -> None:
        self._environment, self._what, self._remedy = environment, what, remedy
        self._num_occurred = 0

    def count(self) -> None:
        """One more. Raises InfeasibleError when there are more than a run can hold."""
        self._num_occurred += 1
        if self._num_occurred > MAX_OCCURRENCES:
            raise InfeasibleError(
                f"{self._what}, more than {MAX_OCCURRENCES:,} in {span_text(self._environment.now)}. "
                f"{self._remedy}, or simulate a shorter time"
            )
