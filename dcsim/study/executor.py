"""Executors: the seam between a study and the processes that do its work.

An executor's ``map`` calls one function on many tasks and gives the outcomes back in the order of the
tasks, so that a study's result does not depend on who did the work; errors of dcsim are raised. The
function gets the task and a callback for the fraction done; it must be importable by name, like anything
that crosses a process boundary. ``on_outcome`` is called in this process with the number of a task and its
outcome as soon as that is there, in whatever order.
"""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Callable, Sequence

from dcsim.study.worker_pool import OutcomeT, Progress, TaskFunction, TaskT, WorkerPool, ignore_outcome

_START_S = 1.5  # what it takes to start workers, importing the simulator; estimate, from 1 to 2 s
_PATIENCE_S = 0.5  # before that, a guess of how long the work takes is worth nothing
_LEAST_GAIN_S = 1.0  # workers that save less are not worth it


class SerialExecutor:
    """Does the tasks one after the other in this process."""

    def map(
        self,
        function: TaskFunction[TaskT, OutcomeT],
        tasks: Sequence[TaskT],
        on_progress: Progress,
        on_outcome: Callable[[int, OutcomeT], None] = ignore_outcome,
    ) -> list[OutcomeT]:
        """The function's outcome for each task, in the order of the tasks."""

        def part(done: int) -> Progress:
            return lambda fraction: on_progress((done + fraction) / len(tasks))

        outcomes = []
        for done, task in enumerate(tasks):
            outcomes.append(function(task, part(done)))
            on_outcome(done, outcomes[-1])
        return outcomes


class ProcessExecutor:
    """Does the tasks in worker processes of this machine.

    A worker that is killed (out of memory, say) is replaced and its task tried again; one that ends by
    a Python error is not. Ctrl-C stops the workers at once. The workers never import the caller's main
    module, so that a script needs no ``if __name__ == "__main__"``.
    """

    def __init__(self, num_processes: int) -> None:
        self._num_processes = num_processes

    def map(
        self,
        function: TaskFunction[TaskT, OutcomeT],
        tasks: Sequence[TaskT],
        on_progress: Progress,
        on_outcome: Callable[[int, OutcomeT], None] = ignore_outcome,
    ) -> list[OutcomeT]:
        """The function's outcome for each task, in the order of the tasks."""
        pool = WorkerPool(function, tasks, on_progress, on_outcome)
        try:
            return pool.outcomes(min(self._num_processes, len(tasks)))
        finally:
            pool.stop()


class AdaptiveExecutor:
    """Begins in this process and calls workers once the work turns out to be long enough to pay for them.

    A worker takes a second to start: short studies are over by then. A task that was begun here when the
    workers are called is begun again there.
    """

    def __init__(self, num_processes: int) -> None:
        self._num_processes = num_processes

    def map(
        self,
        function: TaskFunction[TaskT, OutcomeT],
        tasks: Sequence[TaskT],
        on_progress: Progress,
        on_outcome: Callable[[int, OutcomeT], None] = ignore_outcome,
    ) -> list[OutcomeT]:
        """The function's outcome for each task, in the order of the tasks."""
        if self._num_processes == 1 or len(tasks) == 1:
            return SerialExecutor().map(function, tasks, on_progress, on_outcome)
        outcomes: list[OutcomeT] = []
        started_s = time.monotonic()

        def watch(fraction: float) -> None:
            num_done = len(outcomes) + fraction
            if self._is_worth_workers(time.monotonic() - started_s, num_done, len(tasks) - len(outcomes)):
                raise _LongWorkError
            on_progress(num_done / len(tasks))

        try:
            for task in tasks:
                outcomes.append(function(task, watch))
                on_outcome(len(outcomes) - 1, outcomes[-1])
        except _LongWorkError:
            num_done = len(outcomes)
            done_frac = num_done / len(tasks)
            outcomes += ProcessExecutor(self._num_processes).map(
                function,
                tasks[num_done:],
                lambda fraction: on_progress(done_frac + (1 - done_frac) * fraction),
                lambda number, outcome: on_outcome(num_done + number, outcome),
            )
        return outcomes

    def _is_worth_workers(self, elapsed_s: float, num_done: float, num_left: int) -> bool:
        if elapsed_s < _PATIENCE_S or num_done == 0:
            return False
        task_s = elapsed_s / num_done
        alone_s = (num_left - num_done % 1) * task_s
        with_workers_s = _START_S + math.ceil(num_left / self._num_processes) * task_s
        return alone_s > with_workers_s + _LEAST_GAIN_S


class _LongWorkError(Exception):
    """The work is worth starting workers for."""


def num_usable_processors() -> int:
    """Processors that this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
