"""Ten visitors at once: each has a scenario of their own, and nothing of them stays when they have left."""

from __future__ import annotations

import re
import urllib.request
from typing import Any

import pytest

from tests.app.runs import scenario_text
from tests.browser.conftest import Server, wait_for
from tests.browser.test_journeys import edit, editor_of
from tests.browser.visitor import Visitor

pytestmark = [pytest.mark.xdist_group("browser"), pytest.mark.slow]

NUM_VISITORS = 10


def num_sessions(server: Server) -> int:
    """Sessions that hold memory, by the server's own count; a closed one counts until it is released."""
    with urllib.request.urlopen(f"{server.address}/_stcore/metrics", timeout=10) as answer:
        found = re.search(r"^active_sessions (\d+)", answer.read().decode(), re.MULTILINE)
    assert found is not None
    return int(found.group(1))


def test_ten_sessions_hold_and_leave_nothing_behind(browser: Any, server: Server) -> None:
    wait_for(lambda: num_sessions(server) == 0, "earlier sessions never ended")
    visitors = [Visitor.at(browser, server.address) for _ in range(NUM_VISITORS)]
    for visitor in visitors:
        visitor.page.goto(f"{server.address}/scenario", wait_until="commit")  # all load at the same time
    for visitor in visitors:
        visitor.page.locator("h1").wait_for()
        visitor.wait()
    assert num_sessions(server) >= NUM_VISITORS
    for number, visitor in enumerate(visitors):
        edit(visitor, scenario_text(f"visitor-{number}"))
    for number, visitor in enumerate(visitors):
        visitor.page.get_by_text("This scenario can run.").wait_for()
        assert f"name: visitor-{number}\n" in editor_of(visitor).input_value()
    for visitor in visitors:
        visitor.close()
    wait_for(lambda: num_sessions(server) == 0, "the sessions' state was not released")
