"""The process of a job: waits for its turn, runs the scenario, and says in files how far it is.

``python -m dcsim.study.job_worker FOLDER``; :class:`dcsim.study.job.Job` starts it.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import BinaryIO

from dcsim.errors import DcsimError
from dcsim.result import SummaryView
from dcsim.spec.loader import load
from dcsim.spec.scenario import Scenario
from dcsim.study.executor import num_usable_processors
from dcsim.study.file_lock import is_locked, try_lock
from dcsim.study.job import (
    ALIVE,
    CANCEL,
    JOB,
    PARTIAL,
    RESULT,
    SCENARIO,
    JobState,
    JobStatus,
    read_status,
    write_json,
    write_status,
)
from dcsim.study.run import run

PROCESSORS_PER_JOB = 4  # more would wait for one another: a run has few replications
_POLL_S = 0.2
_TELL_S = 0.25  # between two words on how far it is


class _CancelledError(Exception):
    """Somebody wants this job to end."""


class _Worker:
    """One job at work."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._status = JobStatus(JobState.QUEUED)
        self._told_at_s = 0.0

    def work(self) -> None:
        """Do the job. What goes wrong on the way stands in its status, not in an exit code."""
        try:
            with _turn(self._folder):
                self._tell(state=JobState.RUNNING, running_since_s=time.time())
                scenario = load(self._folder / SCENARIO, confined_to=self._folder)
                self._run(scenario)
                self._tell(state=JobState.DONE, done_frac=1.0, finished_at_s=time.time())
        except _CancelledError:
            self._tell(state=JobState.CANCELLED, finished_at_s=time.time())
        except DcsimError as error:
            self._fail(str(error))
        except MemoryError:
            self._fail("the memory of this machine is used up: give a shorter duration or fewer replications")
        except OSError as error:
            self._fail(f"the machine refuses: {error.strerror or error}")

    def _run(self, scenario: Scenario) -> None:
        processes = min(PROCESSORS_PER_JOB, num_usable_processors())
        result = run(scenario, num_processes=processes, on_progress=self._progress, on_partial=self._partial)
        result.save(self._folder / RESULT)

    def _progress(self, done_frac: float) -> None:
        if time.monotonic() - self._told_at_s >= _TELL_S:
            if (self._folder / CANCEL).exists():  # the signal may have hit where exceptions are swallowed
                raise _CancelledError
            self._tell(done_frac=done_frac)

    def _partial(self, so_far: SummaryView) -> None:
        values, intervals = so_far.plain()
        write_json(self._folder / PARTIAL, {"values": values, "intervals": intervals})
        num_replications = so_far.number("num_replications") or 0
        self._tell(num_replications=int(num_replications))

    def _fail(self, why: str) -> None:
        self._tell(state=JobState.FAILED, finished_at_s=time.time(), error=why)

    def _tell(self, **changes: object) -> None:
        self._status = replace(self._status, **changes)  # type: ignore[arg-type]
        self._told_at_s = time.monotonic()
        write_status(self._folder, self._status)


def _turn(folder: Path) -> BinaryIO:
    """Wait for one of the machine's slots; the lock on it is let go when the file is closed."""
    num_slots = max(1, num_usable_processors() // PROCESSORS_PER_JOB)
    while True:
        if (folder / CANCEL).exists():
            raise _CancelledError
        for number in range(num_slots if _is_first(folder) else 0):
            slot = try_lock(folder.parent / f".slot-{number}")
            if slot is not None:
                return slot
        time.sleep(_POLL_S)


def _is_first(folder: Path) -> bool:
    """Whether no living job that was asked for earlier still waits."""
    earlier = (one for one in folder.parent.iterdir() if one.name < folder.name and (one / JOB).is_file())
    return not any(read_status(one).state is JobState.QUEUED and is_locked(one / ALIVE) for one in earlier)


def _cancel(_: int, __: FrameType | None) -> None:
    raise _CancelledError


def main(folder: Path) -> None:
    """Do the job of a folder, unless another process does it already."""
    alive = try_lock(folder / ALIVE)
    if alive is None:
        return
    with alive:
        alive.truncate(0)
        alive.write(str(os.getpid()).encode())
        alive.flush()
        signal.signal(signal.SIGTERM, _cancel)
        _Worker(folder).work()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
