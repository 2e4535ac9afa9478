import io

import pytest

from dcsim.report import progress
from dcsim.report.progress import progress_bar


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch) -> Terminal:
    made = Terminal()
    monkeypatch.setattr("sys.stderr", made)
    monkeypatch.setenv("TERM", "xterm")
    return made


@pytest.fixture
def seconds(monkeypatch) -> list[float]:
    """The wall clock, turned by hand."""
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_nobody_watches_a_pipe(monkeypatch):
    monkeypatch.setattr("sys.stderr", io.StringIO())
    with progress_bar("run") as update:
        assert update is None


def test_quiet_is_quiet(terminal: Terminal):
    with progress_bar("run", is_quiet=True) as update:
        assert update is None


def test_a_short_run_shows_nothing(terminal: Terminal, seconds: list[float]):
    with progress_bar("run") as update:
        assert update is not None
        seconds[0] = 2.0
        update(0.9)
    assert terminal.getvalue() == ""


def test_a_long_run_shows_the_time_that_is_left(terminal: Terminal, seconds: list[float]):
    with progress_bar("run") as update:
        assert update is not None
        seconds[0] = 30.0
        update(0.25)
    assert "1 min 30 s left" in terminal.getvalue()
