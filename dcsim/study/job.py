"""A job: one run in a process of its own, told of by files in a folder, so that it outlives its caller.

The folder holds ``job.json`` (what was asked), ``scenario.yaml`` with the files that it names,
``status.json`` (how far it is) and, as replications come in, ``partial.json``; in the end ``result`` is a
saved result. The process holds a lock on ``alive`` as long as it lives: nothing else tells as surely
whether it does.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from dcsim.errors import Problem, ScenarioError
from dcsim.result import Result, SummaryView, is_result, open_result
from dcsim.study.file_lock import is_locked

JOB, STATUS, PARTIAL, ALIVE, LOG = "job.json", "status.json", "partial.json", "alive", "log.txt"
CANCEL = "cancel"  # there when somebody wants the job to end
SCENARIO, RESULT = "scenario.yaml", "result"
_LEAST_FRAC = 0.02  # of the work done, before a guess of the rest is worth anything
_START_S = 10.0  # a process that has not taken its lock by then never will
_STOP_S = 5.0  # patience with a process that was told to stop


class JobState(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen."""
        return self not in (JobState.QUEUED, JobState.RUNNING)


@dataclass(frozen=True, slots=True)
class JobStatus:
    """How far a job is. ``error`` says why it failed, in the words of the error."""

    state: JobState
    done_frac: float = 0.0
    num_replications: int = 0  # measured so far
    running_since_s: float | None = None  # seconds since the epoch
    finished_at_s: float | None = None
    error: str = ""

    @property
    def elapsed_s(self) -> float | None:
        """Seconds since it began to run, or that it ran."""
        if self.running_since_s is None:
            return None
        return max((self.finished_at_s or time.time()) - self.running_since_s, 0.0)

    @property
    def remaining_s(self) -> float | None:
        """Seconds that it will still take, if it goes on as so far; None where that cannot be told yet."""
        if self.state is not JobState.RUNNING or self.elapsed_s is None or self.done_frac < _LEAST_FRAC:
            return None
        return self.elapsed_s * (1.0 - self.done_frac) / self.done_frac


class Job:
    """One run in the background, known by its folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        about = json.loads((folder / JOB).read_text(encoding="utf-8"))
        self.name: str = about["name"]
        self.question: str = about["question"]
        self.replications: int = about["replications"]
        self.asked_at = datetime.fromtimestamp(about["asked_at_s"], UTC)

    def __repr__(self) -> str:
        return f"<Job {self.id}: {self.name}, {self.status().state}>"

    @property
    def id(self) -> str:
        """The name of its folder."""
        return self.folder.name

    @property
    def scenario_path(self) -> Path:
        """The scenario that it runs; the files that this names stand beside it."""
        return self.folder / SCENARIO

    def status(self) -> JobStatus:
        """How far it is. A job whose process is gone before the end has failed."""
        status = read_status(self.folder)
        if status.state.is_over or is_locked(self.folder / ALIVE):
            return status
        status = read_status(self.folder)  # it may have ended between the two looks
        age_s = time.time() - self.asked_at.timestamp()
        if status.state.is_over or (status.state is JobState.QUEUED and age_s < _START_S):
            return status
        return JobStatus(
            JobState.FAILED,
            status.done_frac,
            status.num_replications,
            status.running_since_s,
            error="its process is gone: killed, out of memory, or the machine was restarted",
        )

    def partial(self) -> SummaryView | None:
        """The summary of the first replications, as far as they were measured; None before the first."""
        try:
            content = json.loads((self.folder / PARTIAL).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        return SummaryView(content["values"], content["intervals"])

    def result(self) -> Result:
        """The result. Raises ScenarioError while, or if, there is none."""
        if not is_result(self.folder / RESULT):
            raise ScenarioError(Problem(f"this run is {self.status().state}", file=self.id))
        return open_result(self.folder / RESULT)

    def start(self) -> None:
        """Start the process that does it."""
        with (self.folder / LOG).open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "dcsim.study.job_worker", str(self.folder.resolve())],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,
            )
        threading.Thread(target=process.wait, daemon=True).start()  # no zombie when it ends

    def cancel(self) -> None:
        """Stop it; nothing happens where it is over. What it had measured so far stays."""
        status = self.status()
        if status.state.is_over:
            return
        (self.folder / CANCEL).touch()  # a process that is only starting looks for it
        for word in (signal.SIGTERM, getattr(signal, "SIGKILL", signal.SIGTERM)):
            process = _process_of(self.folder)
            if process is not None and is_locked(self.folder / ALIVE):
                with suppress(ProcessLookupError):
                    os.kill(process, word)
                _wait_until_free(self.folder / ALIVE)
        after = read_status(self.folder)
        if not after.state.is_over:
            write_status(
                self.folder,
                JobStatus(
                    JobState.CANCELLED,
                    after.done_frac,
                    after.num_replications,
                    after.running_since_s,
                    time.time(),
                ),
            )

    def remove(self) -> None:
        """Stop it and delete its folder."""
        self.cancel()
        shutil.rmtree(self.folder)


def write_json(path: Path, content: Mapping[str, object]) -> None:
    """Write a small file that appears whole: a reader finds the old one or the new one."""
    hidden = path.with_name(f".{path.name}.{os.getpid()}")
    hidden.write_text(json.dumps(content), encoding="utf-8")
    hidden.replace(path)


def write_status(folder: Path, status: JobStatus) -> None:
    """Say how far a job is."""
    write_json(folder / STATUS, {key: getattr(status, key) for key in JobStatus.__slots__})


def read_status(folder: Path) -> JobStatus:
    """What the job's process said last."""
    content = json.loads((folder / STATUS).read_text(encoding="utf-8"))
    return JobStatus(**{**content, "state": JobState(content["state"])})


def _process_of(folder: Path) -> int | None:
    text = (folder / ALIVE).read_text(encoding="utf-8") if (folder / ALIVE).exists() else ""
    return int(text) if text.isdigit() else None


def _wait_until_free(lock: Path) -> None:
    ends_at_s = time.monotonic() + _STOP_S
    while is_locked(lock) and time.monotonic() < ends_at_s:
        time.sleep(0.02)
