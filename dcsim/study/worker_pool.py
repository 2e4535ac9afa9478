"""Worker processes of this machine that do tasks, survive being killed, and stop with the caller.

Not concurrent.futures.ProcessPoolExecutor: before Python 3.14 it can end running workers only through
private attributes, one killed worker breaks the whole pool and loses what the others have in hand, and
tables cross as one pickle, in twice the memory. Progress, the signal mask and the hidden main module would
still be ours on top, so that nothing would become shorter.
"""

from __future__ import annotations

import multiprocessing
import pickle
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from types import ModuleType
from typing import Generic, TypeVar

from dcsim.errors import DcsimError, SimulationError

TaskT = TypeVar("TaskT")
OutcomeT = TypeVar("OutcomeT")
Progress = Callable[[float], None]
TaskFunction = Callable[[TaskT, Progress], OutcomeT]


def ignore_outcome(number: int, outcome: object) -> None:
    """Nobody waits for single outcomes."""


_MAX_ATTEMPTS = 3  # a task whose worker was killed is tried again, so often in all
_STOP_S = 5.0  # patience with a worker that was told to stop


@dataclass(slots=True)
class _Worker:
    """One worker process and the task that it has in hand."""

    process: SpawnProcess
    connection: Connection
    task: int


@dataclass(frozen=True, slots=True)
class _Fraction:
    done_frac: float


@dataclass(frozen=True, slots=True)
class _Failure:
    error: DcsimError


@dataclass(frozen=True, slots=True)
class _Outcome:
    """An outcome is on its way: its pickle, and the sizes of the arrays that follow as raw bytes."""

    pickled: bytes
    buffer_sizes: tuple[int, ...]


class WorkerPool(Generic[TaskT, OutcomeT]):
    """The workers of one call of ``map``."""

    def __init__(
        self,
        function: TaskFunction[TaskT, OutcomeT],
        tasks: Sequence[TaskT],
        on_progress: Progress,
        on_outcome: Callable[[int, OutcomeT], None] = ignore_outcome,
    ) -> None:
        self._function = function
        self._tasks = tasks
        self._on_progress = on_progress
        self._on_outcome = on_outcome
        self._todo = deque(range(len(tasks)))
        self._num_attempts = [0] * len(tasks)
        self._done_frac = [0.0] * len(tasks)
        self._found: dict[int, OutcomeT] = {}
        self._workers: list[_Worker] = []

    def outcomes(self, num_workers: int) -> list[OutcomeT]:
        """Do all tasks with so many workers; the outcomes are in the order of the tasks."""
        for _ in range(num_workers):
            self._start_worker()
        while self._workers:
            ready = set(wait([worker.connection for worker in self._workers]))
            for worker in [worker for worker in self._workers if worker.connection in ready]:
                try:
                    self._receive(worker)
                except (EOFError, ConnectionError):
                    self._replace(worker)
        return [self._found[task] for task in range(len(self._tasks))]

    def stop(self) -> None:
        """End every worker that is left."""
        for worker in self._workers:
            worker.process.terminate()
        for worker in self._workers:
            worker.process.join(_STOP_S)
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()
            worker.connection.close()
        self._workers.clear()

    def _start_worker(self) -> None:
        ours, theirs = multiprocessing.Pipe()
        process = multiprocessing.get_context("spawn").Process(target=_work, args=(theirs,), daemon=True)
        worker = _Worker(process, ours, self._todo[0])
        with _without_interrupts(), _without_main_module():
            process.start()
            self._workers.append(worker)  # before an interrupt can come, so that it is stopped
        theirs.close()
        self._give_next_task(worker)

    def _give_next_task(self, worker: _Worker) -> None:
        worker.task = self._todo.popleft()
        self._num_attempts[worker.task] += 1
        with suppress(ConnectionError):  # a dead worker is noticed when it is listened to
            worker.connection.send((self._function, self._tasks[worker.task]))

    def _receive(self, worker: _Worker) -> None:
        message = worker.connection.recv()
        if isinstance(message, _Failure):
            raise message.error
        if isinstance(message, _Fraction):
            self._done_frac[worker.task] = message.done_frac
        else:
            task = worker.task
            self._found[task] = _received(message, worker.connection)
            self._done_frac[task] = 1.0
            if self._todo:
                self._give_next_task(worker)
            else:
                self._dismiss(worker)
            self._on_outcome(task, self._found[task])
        self._on_progress(sum(self._done_frac) / len(self._tasks))

    def _dismiss(self, worker: _Worker) -> None:
        worker.connection.close()
        worker.process.join()
        self._workers.remove(worker)

    def _replace(self, worker: _Worker) -> None:
        """The worker is gone: start another for its task, unless that is hopeless."""
        self._dismiss(worker)
        code = worker.process.exitcode
        if code is not None and code >= 0:
            raise SimulationError(f"a worker process ended with exit code {code}; its own message is above")
        if self._num_attempts[worker.task] >= _MAX_ATTEMPTS:
            raise SimulationError(
                f"a worker process was killed {_MAX_ATTEMPTS} times at the same task "
                f"(signal {-(code or 0)}); if the machine ran out of memory, use fewer processes"
            )
        self._done_frac[worker.task] = 0.0
        self._todo.appendleft(worker.task)
        self._start_worker()


def _work(connection: Connection) -> None:
    """The life of a worker: one task after the other, until the other side hangs up."""
    try:
        while True:
            function, task = connection.recv()
            try:
                outcome = function(task, lambda fraction: connection.send(_Fraction(fraction)))
            except DcsimError as error:
                connection.send(_Failure(error))
            else:
                _send_outcome(outcome, connection)
                del outcome  # before the next task needs the memory
    except (EOFError, ConnectionError):
        return


def _send_outcome(outcome: object, connection: Connection) -> None:
    """Send an outcome with its arrays as raw bytes beside the pickle: half the memory of a plain send."""
    buffers: list[pickle.PickleBuffer] = []
    pickled = pickle.dumps(outcome, protocol=5, buffer_callback=buffers.append)
    views = [buffer.raw() for buffer in buffers]
    connection.send(_Outcome(pickled, tuple(view.nbytes for view in views)))
    for view in views:
        if view.nbytes:
            connection.send_bytes(view)


def _received(message: _Outcome, connection: Connection) -> OutcomeT:  # type: ignore[type-var]
    buffers = [bytearray(size) for size in message.buffer_sizes]
    for buffer in buffers:
        if buffer:
            connection.recv_bytes_into(buffer)
    outcome: OutcomeT = pickle.loads(message.pickled, buffers=buffers)
    return outcome


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Start children deaf to Ctrl-C: they inherit the mask, and only the parent answers the terminal."""
    if sys.platform == "win32":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _without_main_module() -> Iterator[None]:
    """Hide the main module from multiprocessing, which would run the user's script again in each worker."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main
