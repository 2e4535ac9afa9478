"""Free accelerators over time, as planned."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import accumulate


class Availability:
    """A staircase of free accelerators from now on; reservations cut pieces out of it."""

    def __init__(
        self, now_s: float, num_free: float, ends_at_s: Sequence[float], nums_held: Sequence[float]
    ) -> None:
        """``ends_at_s``: instants, rising, at which so many accelerators come back; past ones are due."""
        num_past = bisect_right(ends_at_s, now_s)
        self._at_s = [now_s, *ends_at_s[num_past:]]
        self._free = list(accumulate(nums_held, initial=num_free))[num_past:]

    def is_free_now(self, number: float, duration_s: float) -> bool:
        """Whether so many are free for so long from now on."""
        until_s = self._at_s[0] + duration_s
        for at_s, num_free in zip(self._at_s, self._free, strict=True):
            if at_s >= until_s:
                return True
            if num_free < number:
                return False
        return True

    def earliest_s(self, number: float, duration_s: float) -> float:
        """From when on so many are free for so long; infinite if they never are."""
        start = 0
        while start < len(self._free):
            if self._free[start] < number:
                start += 1
                continue
            end = bisect_left(self._at_s, self._at_s[start] + duration_s)
            short = next((i for i in range(start, end) if self._free[i] < number), None)
            if short is None:
                return self._at_s[start]
            start = short + 1
        return float("inf")

    def reserve(self, at_s: float, number: float, duration_s: float) -> None:
        """Hold so many from then on for so long."""
        first, last = self._step(at_s), self._step(at_s + duration_s)
        for i in range(first, last):
            self._free[i] -= number

    def _step(self, at_s: float) -> int:
        """The last step that begins then, made if there is none."""
        if at_s == float("inf"):
            return len(self._free)
        i = bisect_right(self._at_s, at_s) - 1
        if self._at_s[i] != at_s:
            i += 1
            self._at_s.insert(i, at_s)
            self._free.insert(i, self._free[i - 1])
        return i
