"""A progress bar with the time that is left: on a terminal only, and only when the run is long."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dcsim.units import duration_text

if TYPE_CHECKING:
    from rich.progress import Progress

_QUIET_S = 1.0  # a run that ends sooner shows nothing
_LEAST_LEFT_S = 1.5  # a bar that would vanish at once is not worth drawing


class _Bar:
    """Draws a bar once the run turns out to be long."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._started_s = time.monotonic()
        self._progress: Progress | None = None

    def update(self, fraction: float) -> None:
        """Show that this fraction of the run is done."""
        elapsed_s = time.monotonic() - self._started_s
        left_s = elapsed_s * (1 - fraction) / fraction if fraction > 0 else float("inf")
        if self._progress is None:
            if elapsed_s < _QUIET_S or left_s < _LEAST_LEFT_S:
                return
            self._progress = _new_progress()
            self._progress.start()
            self._progress.add_task(self._title, total=1.0, left="")
        left = "" if left_s == float("inf") else f"{duration_text(left_s)} left"
        self._progress.update(self._progress.task_ids[0], completed=fraction, left=left)

    def close(self) -> None:
        """Wipe the bar."""
        if self._progress is not None:
            self._progress.stop()


def _new_progress() -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=40),
        TaskProgressColumn(),
        TextColumn("{task.fields[left]}"),
        console=Console(stderr=True),
        transient=True,
    )


@contextmanager
def progress_bar(title: str, *, is_quiet: bool = False) -> Iterator[Callable[[float], None] | None]:
    """A function to call with the fraction done; None where nobody is watching."""
    if is_quiet or not sys.stderr.isatty():
        yield None
        return
    bar = _Bar(title)
    try:
        yield bar.update
    finally:
        bar.close()
