"""What people come for, done in a real browser: ask, change, upload, run, cancel, compare, take away."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dcsim import Job, Workspace
from tests.app.runs import scenario_text
from tests.browser.conftest import Server
from tests.browser.visitor import Visitor

pytestmark = pytest.mark.xdist_group("browser")

TRACE = "arrived_at_s,num_prompt_tokens,num_output_tokens\n" + "".join(
    f"{second * 0.5},{400 + second % 7},{40 + second % 5}\n" for second in range(240)
)
YAML = "The same as text (YAML)"
BESIDE = "A trace, or another file for the scenario"


@pytest.fixture
def visitor(browser: Any, server: Server) -> Iterator[Visitor]:
    found = Visitor.at(browser, server.address)
    yield found
    found.page.context.close()  # also where the test has failed


def first_tile(visitor: Visitor) -> Any:
    return visitor.page.locator("[data-testid=stMetricValue]").first


def editor_of(visitor: Visitor) -> Any:
    return visitor.page.get_by_role("textbox", name=YAML)


def edit(visitor: Visitor, text: str) -> None:
    """Replace the scenario's text in the editor, and wait until the page has followed."""
    editor_of(visitor).fill(text)
    visitor.wait()


def upload(visitor: Visitor, label: str, name: str, content: bytes) -> None:
    visitor.page.get_by_test_id("stPopoverButton").filter(has_text="Trace, files").click()
    field = visitor.page.get_by_test_id("stFileUploader").filter(has_text=label).locator("input[type=file]")
    field.set_input_files({"name": name, "mimeType": "application/octet-stream", "buffer": content})


def test_form_and_text_follow_each_other(visitor: Visitor) -> None:
    visitor.go("scenario")
    before = first_tile(visitor).inner_text()
    field = visitor.page.get_by_role("spinbutton", name="Tensor")
    field.fill("2")
    field.press("Enter")
    editor = editor_of(visitor)
    visitor.page.wait_for_function(
        "() => document.querySelector('h1').ownerDocument.body.innerText.length > 0"
    )
    playwright_expect(editor, re.compile(r"tensor: 2"))
    assert first_tile(visitor).inner_text() != before
    edit(
        visitor, editor.input_value().replace("tensor: 2", "tensor: 1").replace("replicas: 2", "replicas: 8")
    )
    visitor.page.wait_for_function(
        "() => [...document.querySelectorAll('input')].some(e => e.ariaLabel === 'Tensor' && e.value === '1')"
    )
    visitor.close()


def playwright_expect(area: Any, pattern: re.Pattern[str]) -> None:
    from playwright.sync_api import expect

    expect(area).to_have_value(pattern)


def test_a_draft_and_its_files_survive_a_reload(visitor: Visitor) -> None:
    visitor.go("scenario")
    edit(visitor, scenario_text("kept"))
    upload(visitor, BESIDE, "kept.csv", TRACE.encode())
    visitor.page.get_by_role("button", name="Replay it as the traffic of chat").click()
    playwright_expect(editor_of(visitor), re.compile(r"trace: kept\.csv"))
    visitor.wait().page.reload()
    playwright_expect(editor_of(visitor), re.compile(r"trace: kept\.csv"))
    visitor.page.get_by_text("This scenario can run.").wait_for()
    visitor.close()


def test_what_was_changed_can_be_taken_back(visitor: Visitor) -> None:
    visitor.go("scenario")
    before = editor_of(visitor).input_value()
    edit(visitor, before.replace("seed: 1", "seed: 2"))
    undo = visitor.page.get_by_role("button", name="Undo")
    undo.click()
    playwright_expect(editor_of(visitor), re.compile("seed: 1"))
    visitor.close()


def test_a_trace_with_other_columns_says_so_at_once(visitor: Visitor) -> None:
    visitor.go("scenario")
    upload(visitor, BESIDE, "odd.csv", b"when,prompt\n1,2\n")
    visitor.page.get_by_text("cannot be replayed as it is").wait_for()
    visitor.close()


def test_a_wrong_line_is_marked_with_the_reason(visitor: Visitor) -> None:
    visitor.go("scenario")
    text = editor_of(visitor).input_value()
    edit(visitor, text.replace("node: dgx-h100", "node: dgx-h10"))
    mark = visitor.page.locator(".gutter .wrong")
    mark.wait_for()
    line = text[: text.index("node: dgx")].count("\n") + 1
    assert str(line) in mark.inner_text()
    assert mark.get_attribute("title")
    visitor.page.get_by_text("What to mend: 1").wait_for()
    assert visitor.page.get_by_role("button", name="Run or compare").is_disabled()
    visitor.close()


def test_a_trace_of_ones_own_becomes_the_traffic(visitor: Visitor) -> None:
    visitor.go("scenario")
    edit(visitor, scenario_text("with-a-trace"))
    upload(visitor, BESIDE, "my trace (1).csv", TRACE.encode())
    visitor.page.get_by_role("button", name="Replay it as the traffic of chat").click()
    editor = editor_of(visitor)
    playwright_expect(editor, re.compile(r"trace: my_trace_1\.csv"))
    visitor.page.get_by_text("This scenario can run.").wait_for()
    visitor.close()


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("x.yaml", b"serving: [", "What to mend"),
        ("x.yaml", b"name: <img src=x onerror=alert(1)>\n", "What to mend"),
        ("x.yaml", b"\xff\xfe\x00", "not text"),
        ("..%2f..%2fpasswd.yaml", b"a: &x [1]\nb: *x\n", "What to mend"),
    ],
)
def test_a_bad_scenario_file_is_refused_in_words(
    visitor: Visitor, name: str, content: bytes, says: str
) -> None:
    visitor.go("scenario")
    upload(visitor, "A scenario (YAML)", name, content)
    visitor.page.get_by_text(says).first.wait_for()
    assert visitor.page.get_by_test_id("stException").count() == 0
    visitor.close()


def test_a_hundred_megabytes_are_refused_before_they_travel(visitor: Visitor, tmp_path: Path) -> None:
    large = tmp_path / "large.csv"
    with large.open("wb") as file:
        file.truncate(100_000_000)
    visitor.go("scenario")
    visitor.page.get_by_test_id("stPopoverButton").filter(has_text="Trace, files").click()
    uploader = visitor.page.get_by_test_id("stFileUploader").filter(has_text=BESIDE)
    uploader.locator("input[type=file]").set_input_files(large)
    uploader.get_by_text(re.compile("64.*or smaller|too large|limit", re.IGNORECASE)).first.wait_for()
    visitor.close()


def test_a_run_survives_a_reload_and_can_be_cancelled(visitor: Visitor, server: Server) -> None:
    visitor.go("scenario")
    edit(
        visitor,
        scenario_text("long-run").replace("4 min", "900 h").replace("replications: 2", "replications: 1"),
    )
    visitor.page.get_by_role("button", name="Run or compare").click()
    visitor.page.get_by_role("heading", name="Run", exact=True).wait_for()
    visitor.page.get_by_role("button", name="Run it").click()
    visitor.page.get_by_role("button", name="Cancel").wait_for()
    visitor.page.reload()
    visitor.page.get_by_role("button", name="Cancel").click()
    visitor.page.get_by_text("cancelled").first.wait_for()
    (job,) = [job for job in Workspace(server.workspace).jobs() if job.name == "long-run"]
    assert job.status().state == "cancelled"
    job.remove()
    visitor.close()


def test_a_worked_question_is_answered_by_one_click(visitor: Visitor, server: Server, pictures: Path) -> None:
    visitor.go()
    visitor.page.get_by_role("button", name="Answer it").first.click()
    visitor.page.get_by_text("Side by side").wait_for(timeout=180_000)
    visitor.wait()
    visitor.picture(pictures / "answer.png")
    assert "wins on" in visitor.page.get_by_test_id("stAlert").first.inner_text()
    visitor.close()
    for job in Workspace(server.workspace).jobs():
        if job.name.startswith("h100-or-b200"):
            job.remove()


def test_results_can_be_taken_away(visitor: Visitor, runs: list[Job]) -> None:
    visitor.go(f"results?runs={runs[0].id}")
    visitor.page.get_by_role("tab", name="Take it away").click()
    taken = {}
    for label in ("Report (html)", "Tables (parquet)", "Scenario (YAML)", "Numbers (JSON)"):
        with visitor.page.expect_download() as download:
            visitor.page.get_by_role("button", name=label).click()
        taken[label] = Path(download.value.path()).read_bytes()
    assert b"plotly" in taken["Report (html)"]
    assert taken["Tables (parquet)"].startswith(b"PK")
    assert b"chat-h100" in taken["Scenario (YAML)"]
    assert taken["Numbers (JSON)"] == runs[0].result().summary_text().encode()
    assert io.BytesIO(taken["Tables (parquet)"]).getbuffer().nbytes > 1_000
    visitor.close()


def test_a_link_opens_the_same_scenario_elsewhere(visitor: Visitor, browser: Any, server: Server) -> None:
    visitor.go("scenario")
    edit(visitor, scenario_text("shared-by-link"))
    visitor.page.get_by_test_id("stPopoverButton").filter(has_text="Share").click()
    link = visitor.page.locator("[data-testid=stCode] code").inner_text()
    other = Visitor.at(browser, server.address).go(link.removeprefix(f"{server.address}/"))
    playwright_expect(editor_of(other), re.compile("shared-by-link"))
    other.close()
    visitor.close()


def test_names_are_text_everywhere(visitor: Visitor) -> None:
    visitor.go("scenario")
    hostile = "<img src=x onerror=alert(1)> **bold** [x](javascript:alert(1)) $\\\\frac$"
    edit(visitor, scenario_text().replace("What does a chat cost on this node?", hostile))
    visitor.page.get_by_role("link", name="Run", exact=True).click()
    visitor.page.get_by_text("<img src=x onerror=alert(1)>").first.wait_for()
    assert visitor.page.locator("img[src=x]").count() == 0
    assert visitor.page.locator("a[href^=javascript]").count() == 0
    visitor.close()
