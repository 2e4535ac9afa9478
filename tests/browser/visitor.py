"""A visitor: one page in one browser, what it asked the network for, and what went wrong in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe

PATIENCE_MS = 60_000
_IDLE = "[data-testid=stApp][data-test-script-state=notRunning]"
_SERIOUS = ("serious", "critical")
_PROBED = ("_stcore/health", "_stcore/host-config")  # Streamlit looks for itself below the page's path first


@dataclass
class Visitor:
    """A page of the dashboard in a browser of its own."""

    page: Any
    address: str
    errors: list[str] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)

    @classmethod
    def at(
        cls, browser: Any, address: str, *, width: int = 1280, height: int = 900, theme: str = "light"
    ) -> Visitor:
        """A new visitor, on no page yet."""
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=theme, locale="en-US"
        )
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        visitor = cls(page, address)
        page.on("pageerror", lambda error: visitor.errors.append(str(error)))
        page.on("console", visitor._heard)
        page.on("request", visitor._asked)
        return visitor

    def _heard(self, message: Any) -> None:
        if message.type == "error" and "404" not in message.text:
            self.errors.append(message.text)

    def _asked(self, request: Any) -> None:
        if not request.url.startswith((self.address, self.address.replace("http", "ws"), "data:", "blob:")):
            self.strangers.append(request.url)

    def go(self, path: str = "") -> Visitor:
        """Open a page and wait until it is drawn."""
        self.page.goto(f"{self.address}/{path}")
        self.page.locator("h1").wait_for()
        return self.wait()

    def wait(self) -> Visitor:
        """Wait until the server has nothing more to say, and the figures are drawn."""
        self.page.wait_for_selector(_IDLE)
        self.page.wait_for_load_state("networkidle")
        self.page.wait_for_function(
            "() => !document.querySelector('[data-testid=stSkeleton]') &&"
            " [...document.querySelectorAll('.stPlotlyChart')].filter(e => e.offsetParent)"
            ".every(e => e.querySelector('.main-svg'))"
        )
        return self

    def picture(self, path: Path) -> None:
        """Keep the whole page as a picture."""
        size = self.page.viewport_size
        height = self.page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
        self.page.set_viewport_size(
            {"width": size["width"], "height": min(max(height, size["height"]), 8000)}
        )
        self.wait()
        self.page.screenshot(path=path)
        self.page.set_viewport_size(size)

    def barriers(self) -> list[str]:
        """What keeps people out, by axe-core: serious and critical violations, with where they are."""
        found = Axe().run(self.page).response["violations"]
        return [
            f"{one['id']}: {one['help']}: {[node['html'][:200] for node in one['nodes']][:3]}"
            for one in found
            if one["impact"] in _SERIOUS
        ]

    def close(self) -> None:
        """Leave. Nothing may have gone wrong, and nobody else been asked for anything."""
        self.page.context.close()
        assert not self.errors, self.errors
        assert not self.strangers, self.strangers
