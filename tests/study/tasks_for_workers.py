"""Functions that worker processes of the tests can import by name."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np

from dcsim.errors import InfeasibleError

Progress = Callable[[float], None]


def square(task: int, on_progress: Progress) -> int:
    on_progress(0.5)
    return task * task


def process_id(task: int, on_progress: Progress) -> int:
    return os.getpid()


def process_id_after_progress(task: int, on_progress: Progress) -> int:
    on_progress(0.1)
    return os.getpid()


def columns(task: int, on_progress: Progress) -> dict[str, np.ndarray]:
    return {"big": np.arange(task, dtype=np.float64), "empty": np.zeros(0)}


def infeasible(task: int, on_progress: Progress) -> int:
    raise InfeasibleError(f"task {task} cannot be")


def killed_once(marker: Path, on_progress: Progress) -> str:
    if not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return "done"


def always_killed(task: int, on_progress: Progress) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return task


def broken(task: int, on_progress: Progress) -> int:
    raise SystemExit(3)


def endless(folder: Path, on_progress: Progress) -> None:
    (folder / str(os.getpid())).touch()
    on_progress(0.5)
    while True:
        signal.pause()
