"""The trials of a training job: so many at a time, and when one has ended the next starts in its place."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

import simpy

from dcsim.sim.training.job import TrainingProcess

Start: TypeAlias = Callable[[int, float], TrainingProcess]


class Trials:
    """All trials of one job; one that is no sweep has a single one.

    ``start`` makes the process of a trial in a place, from 0 on, which asks for nodes at an instant. Each
    begins with nothing: its processes start, its data set is staged where that is missing.
    """

    def __init__(
        self,
        environment: simpy.Environment,
        start: Start,
        *,
        num_trials: int,
        num_at_once: int,
        submitted_at_s: float,
    ) -> None:
        self._environment, self._start = environment, start
        self._num_trials, self._num_ended = num_trials, 0
        self._num_at_once = num_at_once
        self.processes: list[TrainingProcess] = []
        self.ended = environment.event()
        for place in range(num_at_once):
            self._begin(place, submitted_at_s)

    @property
    def is_done(self) -> bool:
        """Whether the last step of the last trial is saved."""
        return self._num_ended == self._num_trials

    @property
    def done_frac(self) -> float:
        """How far they are, all together."""
        running = [one for one in self.processes if not one.ended.triggered]
        under_way = sum(one.num_steps_done / one.task.num_steps for one in running)
        return (self._num_ended + under_way) / self._num_trials

    @property
    def alone_s(self) -> float:
        """When the last would end if nothing came in between; infinite if a trial has no end."""
        task, num_rounds = self.processes[0].task, math.ceil(self._num_trials / self._num_at_once)
        return task.submitted_at_s + task.prepared_s + num_rounds * task.undisturbed_s

    def finish(self) -> None:
        """The simulation ends: close what is under way."""
        for one in self.processes:
            one.finish()

    def _begin(self, place: int, at_s: float) -> None:
        process = self._start(place, at_s)
        self.processes.append(process)
        assert process.ended.callbacks is not None
        process.ended.callbacks.append(lambda _: self._end(place))

    def _end(self, place: int) -> None:
        self._num_ended += 1
        if len(self.processes) < self._num_trials:
            self._begin(place, self._environment.now)
        elif self.is_done:
            self.ended.succeed()
