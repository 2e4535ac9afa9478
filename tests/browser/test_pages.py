"""Every page at two widths in both themes: drawn without an error, without strangers, open to all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dcsim import Job
from tests.browser.conftest import Server
from tests.browser.visitor import Visitor

pytestmark = pytest.mark.xdist_group("browser")

PAGES = ("start", "scenario", "run", "results", "compare", "calibration", "catalogue")
DESK, TABLET = 1280, 820


def address_of(view: str, runs: list[Job]) -> str:
    path = "" if view == "start" else view
    return f"{path}?runs={','.join(job.id for job in runs)}"


@pytest.mark.parametrize("view", PAGES)
@pytest.mark.parametrize(
    ("width", "theme"),
    [
        (DESK, "light"),
        pytest.param(DESK, "dark", marks=pytest.mark.slow),
        pytest.param(TABLET, "light", marks=pytest.mark.slow),
        (TABLET, "dark"),
    ],
)
def test_a_page_is_drawn_and_open_to_all(
    browser: Any, server: Server, runs: list[Job], pictures: Path, view: str, width: int, theme: str
) -> None:
    visitor = Visitor.at(browser, server.address, width=width, theme=theme).go(address_of(view, runs))
    visitor.picture(pictures / f"{view}-{width}-{theme}.png")
    assert visitor.page.locator("[data-testid=stException]").count() == 0
    overflow = visitor.page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    assert overflow <= 0, "the page is wider than the screen"
    assert visitor.barriers() == []
    visitor.close()


@pytest.mark.parametrize(
    "tab", ["Over time", "Why", "Energy and cost", "How far to trust it", "Take it away"]
)
def test_a_tab_of_the_results_is_open_to_all(
    browser: Any, server: Server, runs: list[Job], pictures: Path, tab: str
) -> None:
    visitor = Visitor.at(browser, server.address).go(address_of("results", runs))
    visitor.page.get_by_role("tab", name=tab).click()
    visitor.page.get_by_role("tab", name=tab, selected=True).wait_for()
    visitor.wait()
    visitor.picture(pictures / f"results-{tab.replace(' ', '-')}.png")
    assert visitor.barriers() == []
    visitor.close()


def test_the_theme_follows_the_visitor(browser: Any, server: Server) -> None:
    shades = {}
    for theme in ("light", "dark"):
        visitor = Visitor.at(browser, server.address, theme=theme).go()
        colour = visitor.page.evaluate(
            "getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor"
        )
        shades[theme] = sum(int(part) for part in colour[4:-1].split(",")[:3])
        visitor.close()
    assert shades["dark"] < 150 < 600 < shades["light"]


def test_the_keyboard_reaches_the_pages_and_the_first_answer(browser: Any, server: Server) -> None:
    visitor = Visitor.at(browser, server.address).go()
    reached: list[str] = []
    for _ in range(25):
        visitor.page.keyboard.press("Tab")
        text = visitor.page.evaluate("document.activeElement.innerText.trim()")
        reached.append(text.splitlines()[-1] if text else "")  # an icon's name stands before it
    assert {"Scenario", "Results", "Compare"} <= set(reached)
    assert "Answer it" in reached
    visitor.close()


def test_chinese_is_one_choice_away(browser: Any, server: Server) -> None:
    visitor = Visitor.at(browser, server.address).go()
    visitor.page.get_by_label("Language").click()
    visitor.page.get_by_text("简体中文").click()
    visitor.page.get_by_role("link", name="场景").wait_for()
    visitor.close()
