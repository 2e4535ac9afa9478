"""A run that trains and schedules, in a real browser: every tab at two widths in both themes, open to all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import dcsim
from dcsim import Job, Workspace
from tests.app.cluster_runs import cluster_text
from tests.app.runs import wait_until_over
from tests.browser.conftest import Server
from tests.browser.visitor import Visitor

pytestmark = pytest.mark.xdist_group("browser")

DESK, TABLET = 1280, 820
TABS = ("Training", "Jobs", "Gantt", "Failures", "Network", "Storage")


@pytest.fixture(scope="module")
def trained(server: Server) -> Any:
    job = Workspace(server.workspace).start(dcsim.load(cluster_text("trained")))
    wait_until_over(job)
    yield job
    job.remove()


def test_a_training_result_is_read_from_tile_to_log(
    browser: Any, server: Server, trained: Job, pictures: Path
) -> None:
    visitor = Visitor.at(browser, server.address).go(f"results?runs={trained.id}")
    visitor.page.get_by_text("not finished within 2.00 d").wait_for()
    visitor.page.get_by_text("effective training time").first.wait_for()
    visitor.page.get_by_role("tab", name="Network", exact=True).click()
    visitor.page.get_by_role("radio", name="its peak").or_(
        visitor.page.get_by_role("button", name="its peak")
    ).first.click()
    visitor.wait()
    visitor.page.get_by_role("tab", name="Failures", exact=True).click()
    visitor.page.get_by_test_id("stDataFrame").first.wait_for()
    visitor.picture(pictures / "training-failures.png")
    visitor.close()


@pytest.mark.parametrize("tab", TABS)
@pytest.mark.parametrize(
    ("width", "theme"), [(DESK, "light"), pytest.param(TABLET, "dark", marks=pytest.mark.slow)]
)
def test_a_tab_of_the_cluster_is_open_to_all(
    browser: Any, server: Server, trained: Job, pictures: Path, tab: str, width: int, theme: str
) -> None:
    visitor = Visitor.at(browser, server.address, width=width, theme=theme).go(f"results?runs={trained.id}")
    visitor.page.get_by_role("tab", name=tab, exact=True).click()
    visitor.page.get_by_role("tab", name=tab, exact=True, selected=True).wait_for()
    visitor.wait()
    visitor.picture(pictures / f"cluster-{tab}-{width}-{theme}.png")
    assert visitor.page.locator("[data-testid=stException]").count() == 0
    overflow = visitor.page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    assert overflow <= 0, "the page is wider than the screen"
    assert visitor.barriers() == []
    visitor.close()
