"""A real server and a real browser: Streamlit on loopback, Debian's Chromium driven by Playwright."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from dcsim import Job
from tests.app.runs import finished_runs

pytest.importorskip("streamlit", reason="the extra dashboard is not installed")
playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: '.[dev]'")

SCRIPT = Path(__file__).resolve().parents[2] / "app" / "dashboard.py"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
QUIET = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
)
PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class Server:
    """A dashboard that serves."""

    address: str
    process: int
    workspace: Path


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Job]:
    return finished_runs(tmp_path_factory.mktemp("browser") / "workspace")


@pytest.fixture(scope="session")
def server(runs: list[Job], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    workspace, port = runs[0].folder.parents[1], free_port()
    log = tmp_path_factory.mktemp("server") / "log.txt"
    command = [sys.executable, "-m", "streamlit", "run", str(SCRIPT), "--server.port", str(port)]
    command += ["--server.disconnectedSessionTTL", "2"]
    environment = {**os.environ, "DCSIM_WORKSPACE": str(workspace)}
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, env=environment, stdout=output, stderr=output, cwd=tmp_path_factory.mktemp("elsewhere")
        )
        try:
            address = f"http://127.0.0.1:{port}"
            wait_for(lambda: is_up(address), "the server never came up")
            yield Server(address, process.pid, workspace)
        finally:
            process.terminate()
            process.wait(PATIENCE_S)
    assert "Traceback" not in log.read_text(encoding="utf-8"), log.read_text(encoding="utf-8")


def is_up(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/_stcore/health", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def wait_for(is_so: Callable[[], bool], otherwise: str) -> None:
    ends_at_s = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < ends_at_s, otherwise
        time.sleep(0.1)


@pytest.fixture(scope="session")
def browser() -> Iterator[playwright.Browser]:
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.skip(f"none of {', '.join(BROWSERS)} is installed")
    with playwright.sync_playwright() as started:
        yield started.chromium.launch(executable_path=path, args=list(QUIET))


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where screenshots go: DCSIM_SCREENSHOTS keeps them."""
    kept = os.environ.get("DCSIM_SCREENSHOTS")
    folder = Path(kept) if kept else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
