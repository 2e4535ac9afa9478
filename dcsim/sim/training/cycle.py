"""The cycle of steps and checkpoints in closed form: where a job stands after so many seconds.

Between two changes of its condition a job repeats itself: n steps, a stall, n steps, a stall. Any number of
cycles is one division, so that a jump costs the same however many checkpoints lie in it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

_ROUNDING = 1.0 + 1e-12  # a stretch that ends with a step or a stall must not fall short of it


@dataclass(frozen=True, slots=True)
class Place:
    """Where a job stands: steps done, in parts where one was cut, and what is left of a stall there."""

    position: float
    stall_left_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Advance:
    """What a stretch of time brought: the place after it, and the last checkpoint whose stall ended in it."""

    place: Place
    num_saves: int
    saved_position: float
    saved_after_s: float  # from the start of the stretch to the end of that stall


@dataclass(frozen=True, slots=True)
class Cycle:
    """Steps of ``step_s`` with a stall at every multiple of ``steps_per_save``, and after the last step.

    Without checkpoints ``steps_per_save`` is infinite, and there is no stall at the end either.
    """

    step_s: float
    stall_s: float
    steps_per_save: float
    last_position: float

    @property
    def has_saves(self) -> bool:
        """Whether there are checkpoints."""
        return math.isfinite(self.steps_per_save)

    def next_stop(self, position: float) -> float:
        """The next position at which a checkpoint is due, or the last."""
        if not self.has_saves:
            return self.last_position
        every = self.steps_per_save
        return min(math.floor(position / every) * every + every, self.last_position)

    def time_to_end_s(self, place: Place) -> float:
        """Time from a place until the last step is done and saved; infinite if there is no last."""
        left = self.last_position - place.position
        if left > 0 and (math.isinf(left) or math.isinf(self.step_s)):
            return math.inf
        time_s = place.stall_left_s + (left * self.step_s if left > 0 else 0.0)
        if self.has_saves and left > 0:
            every = self.steps_per_save
            num_stalls = math.ceil(self.last_position / every) - math.floor(place.position / every)
            time_s += num_stalls * self.stall_s
        return time_s

    def advance(self, place: Place, elapsed_s: float) -> Advance:
        """Where the job stands after ``elapsed_s``."""
        padded_s = elapsed_s * _ROUNDING
        position, stall_s, left_s = place.position, place.stall_left_s, padded_s
        num_saves, saved_position, saved_after_s = 0, math.nan, math.nan
        while True:
            if stall_s > 0.0:
                if left_s < stall_s:
                    stall_s -= left_s
                    break
                left_s, stall_s = left_s - stall_s, 0.0
                num_saves, saved_position, saved_after_s = num_saves + 1, position, padded_s - left_s
            num_whole = self._num_whole_cycles(position, left_s)
            if num_whole:
                position += num_whole * self.steps_per_save
                left_s = max(0.0, left_s - num_whole * self._cycle_s)
                num_saves, saved_position = num_saves + num_whole, position
                saved_after_s = padded_s - left_s
            stop = self.next_stop(position)
            if position == stop:
                break
            if position + left_s / self.step_s < stop:
                position += max(0.0, left_s - (padded_s - elapsed_s)) / self.step_s
                break
            left_s = max(0.0, left_s - (stop - position) * self.step_s)
            position = stop
            if self.has_saves and self.stall_s > 0.0:
                stall_s = self.stall_s
            elif self.has_saves:
                num_saves, saved_position, saved_after_s = num_saves + 1, position, padded_s - left_s
        return Advance(Place(position, stall_s), num_saves, saved_position, min(saved_after_s, elapsed_s))

    @property
    def _cycle_s(self) -> float:
        return self.steps_per_save * self.step_s + self.stall_s

    def _num_whole_cycles(self, position: float, left_s: float) -> int:
        """Cycles that fit in the time from a checkpoint on; the last one is left to be walked."""
        if not self.has_saves or position % self.steps_per_save:
            return 0
        fitting = math.floor(left_s / self._cycle_s)
        if math.isfinite(self.last_position):
            fitting = min(fitting, math.floor((self.last_position - position) / self.steps_per_save))
        return max(0, fitting - 1)
