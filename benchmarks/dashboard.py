"""Measure the dashboard in a real browser: first paint, change to estimate, a million requests, ten sessions.

usage: python -m benchmarks.dashboard [--write]

Needs the extra ``dev`` and Chromium. ``--write`` puts the table into benchmarks/RESULTS.md; four minutes.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
from playwright.sync_api import Browser, Page, sync_playwright

import dcsim
from benchmarks.measure import MILLION, fleet

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "RESULTS.md"
BEGIN, END = "<!-- dashboard: begin -->\n", "<!-- dashboard: end -->\n"
NUM_SESSIONS, NUM_CHANGES, NUM_VISITS = 10, 15, 5
TTL_S = 2
PATIENCE_MS = 180_000
MEGABYTE = 1e6
BROWSER_OPTIONS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
)
DRAWN = (
    "() => !document.querySelector('[data-testid=stSkeleton]') &&"
    " document.querySelector('[data-testid=stApp][data-test-script-state=notRunning]') &&"
    " [...document.querySelectorAll('.stPlotlyChart')].filter(e => e.offsetParent)"
    ".every(e => e.querySelector('.main-svg'))"
)
ENTER_AND_WAIT = """before => new Promise(done => {
    const start = performance.now();
    const look = () => {
        const now = document.querySelector('[data-testid=stMetricValue]')?.innerText;
        if (now && now !== before) done((performance.now() - start) / 1e3);
        else requestAnimationFrame(look);
    };
    const enter = {key: 'Enter', code: 'Enter', keyCode: 13, bubbles: true};
    document.activeElement.dispatchEvent(new KeyboardEvent('keydown', enter));
    look();
})"""
FIRST_TILE = "() => document.querySelector('[data-testid=stMetricValue]')?.innerText"

Row = tuple[str, str, str]


@contextmanager
def served(workspace: Path) -> Iterator[tuple[str, psutil.Process]]:
    """A dashboard on a free port: its address and its process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "dcsim.app.serve", "run", str(ROOT / "app" / "dashboard.py")]
    command += ["--server.port", str(port), "--server.disconnectedSessionTTL", str(TTL_S)]
    environment = {**os.environ, "DCSIM_WORKSPACE": str(workspace)}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        address = f"http://127.0.0.1:{port}"
        wait_for(lambda: answers(f"{address}/_stcore/health"))
        yield address, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait()


def answers(address: str) -> bool:
    """Whether somebody answers there."""
    try:
        with urllib.request.urlopen(address, timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def wait_for(is_so: Callable[[], bool], patience_s: float = 300.0) -> None:
    """Wait until something is so."""
    ends_at_s = time.monotonic() + patience_s
    while not is_so():
        if time.monotonic() > ends_at_s:
            raise TimeoutError
        time.sleep(0.01)


def first_paint(browser: Browser, address: str) -> tuple[float, float]:
    """Seconds from asking for the first page to its first content, and until it is whole."""
    page = browser.new_page()
    start_s = time.perf_counter()
    page.goto(address)
    page.locator("h1").wait_for()
    page.wait_for_function(DRAWN)
    whole_s = time.perf_counter() - start_s
    paints = page.evaluate("performance.getEntriesByName('first-contentful-paint').map(e => e.startTime)")
    page.close()
    return paints[0] / 1e3, whole_s


def changes(browser: Browser, address: str) -> list[float]:
    """Seconds from the key that ends a change of the form to the new estimate, many times."""
    page = opened(browser, f"{address}/scenario")
    field = page.get_by_role("spinbutton", name="Tensor")
    found = []
    for number in range(NUM_CHANGES):
        before = page.evaluate(FIRST_TILE)
        field.fill(str((2, 4)[number % 2]))
        found.append(page.evaluate(ENTER_AND_WAIT, before))
        page.wait_for_function(DRAWN)
    page.close()
    return found


def opened(browser: Browser, address: str) -> Page:
    """A page that is wholly drawn."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(address)
    page.locator("h1").wait_for()
    page.wait_for_function(DRAWN)
    return page


def million_run(workspace: Path) -> str:
    """Run a million requests in the background; the run's id."""
    job = dcsim.Workspace(workspace).start(dcsim.load(fleet("round_robin", MILLION)))
    wait_for(lambda: job.status().state.is_over, 600.0)
    if job.status().state != dcsim.JobState.DONE:
        raise RuntimeError(job.status().error)
    return job.id


def results_page(browser: Browser, address: str) -> tuple[float, float]:
    """Seconds until the tiles of a results page are there, and until all of it is drawn."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    start_s = time.perf_counter()
    page.goto(address)
    page.locator("[data-testid=stMetricValue]").first.wait_for()
    tiles_s = time.perf_counter() - start_s
    page.wait_for_function(DRAWN)
    whole_s = time.perf_counter() - start_s
    page.close()
    return tiles_s, whole_s


def sessions(browser: Browser, address: str, server: psutil.Process, run_id: str) -> dict[str, float]:
    """Memory of the server before, with and after ten sessions, twice; the slowest change among them."""
    found = {"before": memory(server)}
    slowest_s = 0.0
    for wave in ("first", "second"):
        pages = [browser.new_context().new_page() for _ in range(NUM_SESSIONS)]
        for page in pages:
            page.goto(f"{address}/scenario")
        for page in pages:
            page.locator("h1").wait_for(timeout=PATIENCE_MS)
            page.wait_for_function(DRAWN, timeout=PATIENCE_MS)
        slowest_s = max(slowest_s, *(change_once(page) for page in pages))
        for page in pages:
            page.goto(f"{address}/results?runs={run_id}")
        for page in pages:
            page.locator("[data-testid=stMetricValue]").first.wait_for(timeout=PATIENCE_MS)
        found[f"{wave}, open"] = memory(server)
        for page in pages:
            page.context.close()
        time.sleep(TTL_S + 3)
        opened(browser, address).close()  # a script run, after which Python collects
        time.sleep(1)
        found[f"{wave}, closed"] = memory(server)
    return {**found, "slowest_s": slowest_s}


def change_once(page: Page) -> float:
    """One change of the form, in seconds to the new estimate."""
    before = page.evaluate(FIRST_TILE)
    field = page.get_by_role("spinbutton", name="Tensor")
    start_s = time.perf_counter()
    field.fill("2")
    field.press("Enter")
    page.wait_for_function(f"before => ({FIRST_TILE})() && ({FIRST_TILE})() !== before", arg=before)
    return time.perf_counter() - start_s


def memory(server: psutil.Process) -> float:
    """Megabytes of the server process alone."""
    return float(server.memory_info().rss / MEGABYTE)


def measured() -> Iterator[Row]:
    """The table's rows."""
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        raise SystemExit("Chromium is not installed")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as started:
        workspace = Path(folder)
        run_id = million_run(workspace)
        browser = started.chromium.launch(executable_path=path, args=list(BROWSER_OPTIONS))
        yield from _pages(browser, workspace, run_id)
        browser.close()


def _pages(browser: Any, workspace: Path, run_id: str) -> Iterator[Row]:
    with served(workspace) as (address, server):
        cold = first_paint(browser, address)
        warm = [first_paint(browser, address) for _ in range(NUM_VISITS)]
        yield "first content, first visitor of a new server", "2", f"{cold[0]:.2f} (whole {cold[1]:.2f})"
        yield "first content, later visitors", "2", spread([one[0] for one in warm])
        yield "change in the form to new estimate", "0.3", spread(changes(browser, address))
        place = f"{address}/results?runs={run_id}"
        first = results_page(browser, place)
        later = [results_page(browser, place) for _ in range(NUM_VISITS)]
        yield "results of a million requests, tiles", "3", spread([first[0], *(one[0] for one in later)])
        yield "the same, all figures drawn", "3", spread([first[1], *(one[1] for one in later)])
        found = sessions(browser, address, server, run_id)
        slowest_s = found.pop("slowest_s")
        yield f"slowest change of {NUM_SESSIONS} sessions", "", f"{slowest_s:.2f}"
        text = ", ".join(f"{name} {megabytes:.0f}" for name, megabytes in found.items())
        yield f"memory of the server with two waves of {NUM_SESSIONS} sessions, MB", "", text


def spread(values: list[float]) -> str:
    """Median and maximum."""
    return f"{statistics.median(values):.2f} (at most {max(values):.2f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--write", action="store_true", help="put the table into benchmarks/RESULTS.md")
    options = parser.parse_args()
    today, cores = datetime.now(UTC).date(), os.cpu_count()
    lines = [
        f"{today}, {cores} cores, Python {platform.python_version()}, seconds, median (largest):",
        "",
        "| what | asked | measured |",
        "|---|---|---|",
        *(f"| {what} | {asked} | {found} |" for what, asked, found in measured()),
    ]
    text = "\n".join(lines) + "\n"
    print(text)
    if options.write:
        page = RESULTS.read_text(encoding="utf-8")
        pattern = re.escape(BEGIN) + ".*?" + re.escape(END)
        RESULTS.write_text(
            re.sub(pattern, lambda _: BEGIN + text + END, page, flags=re.DOTALL), encoding="utf-8"
        )


if __name__ == "__main__":
    main()
