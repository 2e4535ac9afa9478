import io
from contextlib import redirect_stderr

import pytest

from dcsim.report import progress
from dcsim.report.progress import progress_bar


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def seconds(monkeypatch) -> list[float]:
    """The wall clock, turned by hand."""
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_nobody_watches_a_pipe():
    with redirect_stderr(io.StringIO()), progress_bar("run") as update:
        assert update is None


def test_quiet_is_quiet():
    with redirect_stderr(Terminal()), progress_bar("run", is_quiet=True) as update:
        assert update is None


def test_a_short_run_shows_nothing(seconds: list[float]):
    with redirect_stderr(Terminal()) as terminal, progress_bar("run") as update:
        assert update is not None
        seconds[0] = 2.0
        update(0.9)
    assert terminal.getvalue() == ""


def test_a_long_run_shows_the_time_that_is_left(seconds: list[float], monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    with redirect_stderr(Terminal()) as terminal, progress_bar("run") as update:
        assert update is not None
        seconds[0] = 30.0
        update(0.25)
    assert "1 min 30 s left" in terminal.getvalue()
