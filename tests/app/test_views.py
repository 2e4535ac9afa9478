"""Every page, with nothing to show and with runs: drawn without an error, and saying what it should."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("streamlit", reason="the extra dashboard is not installed")
from streamlit.testing.v1 import AppTest

from dcsim import Job, Workspace
from dcsim.app.questions import QUESTIONS
from tests.app.pages import PATIENCE_S, opened, texts
from tests.app.runs import finished_runs, scenario_text, wait_until_over

VIEWS = ("start", "scenario", "run", "results", "compare", "calibration", "catalogue")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Job]:
    return finished_runs(tmp_path_factory.mktemp("workspace"))


Open = Callable[..., AppTest]


@pytest.fixture
def show(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Open:
    """A page in a fresh session; ``over`` is a workspace other than an empty one."""

    def _show(view: str, over: list[Job] | None = None, **query: str) -> AppTest:
        folder = over[0].folder.parents[1] if over else tmp_path / "empty"
        return opened(view, folder, monkeypatch, **query)

    return _show


@pytest.mark.parametrize("view", VIEWS)
def test_a_page_without_runs_has_no_error(show: Open, view: str) -> None:
    test = show(view)
    assert not test.exception
    assert not test.error
    assert len(test.title) == 1


@pytest.mark.parametrize("view", VIEWS)
def test_a_page_with_runs_has_no_error(show: Open, runs: list[Job], view: str) -> None:
    test = show(view, runs, runs=",".join(job.id for job in runs))
    assert not test.exception
    assert not test.error


def test_the_results_have_verdict_tiles_and_sources(show: Open, runs: list[Job]) -> None:
    test = show("results", runs, runs=runs[0].id)
    assert "meets its SLO" in texts(test)
    labels = [metric.label for metric in test.metric]
    assert {"TTFT p99", "Cost per M output tokens", "Energy per output token"} <= set(labels)
    shown = next(one.value for one in test.metric if one.label == "Cost per M output tokens")
    usd = runs[0].result().view.number("cost.usd_per_million_output_tokens")
    assert usd is not None
    assert float(shown.split()[0].replace(",", "")) == pytest.approx(usd, rel=0.01)


@pytest.mark.parametrize(
    ("title", "says"),
    [
        ("Over time", "First replication"),
        ("Why", "most went into"),
        ("Energy and cost", "Energy of the measured window"),
        ("How far to trust it", "It rests on"),
        ("Take it away", "A link that opens this scenario"),
    ],
)
def test_a_tab_of_the_results_is_drawn_when_it_is_opened(
    show: Open, runs: list[Job], title: str, says: str
) -> None:
    test = show("results", runs, runs=runs[0].id)
    assert says not in texts(test)
    test.session_state["sections"] = title
    test.run()
    assert not test.exception
    assert says in texts(test)


def test_the_address_names_the_run_that_is_shown(show: Open, runs: list[Job]) -> None:
    for job in runs:
        test = show("results", runs, runs=job.id)
        assert job.name in str(test.selectbox[0].options[test.selectbox[0].index])


@pytest.mark.parametrize("query", ["", "no-such-run", "../../etc", "<script>alert(1)</script>", "a" * 5_000])
def test_a_strange_address_shows_the_latest_run(show: Open, runs: list[Job], query: str) -> None:
    test = show("results", runs, runs=query)
    assert not test.exception
    assert test.metric


def test_a_field_over_a_preset_shows_what_the_preset_has(show: Open) -> None:
    test = show("scenario")
    draft = test.session_state["draft"]
    over = "{base: azure-conv-2023, arrivals: {rate: 9 /s}}"
    draft.write(draft.text.replace("traffic: azure-conv-2023", f"traffic: {over}"))
    test.run()
    assert not test.exception
    arrivals = next(one for one in test.selectbox if one.label == "Arrivals")
    assert arrivals.value == "cox_ou"  # the preset's, not the first of the list
    assert any(one.label.startswith("Rate") and one.value == "9 /s" for one in test.text_input)


def test_zero_replicas_are_refused_in_words(show: Open) -> None:
    test = show("scenario")
    next(one for one in test.number_input if one.label.startswith("Replicas")).set_value(0).run()
    assert "num_replicas: 0" in test.session_state["draft"].text
    assert any("num_replicas" in one.value for one in test.text)


def test_an_unknown_run_in_the_address_is_told(show: Open, runs: list[Job]) -> None:
    test = show("results", runs, runs="20200101-000000-000000")
    assert any("20200101" in one.value.replace("\\", "") for one in test.warning)


def test_a_damaged_result_is_told_and_breaks_no_page(show: Open, tmp_path: Path) -> None:
    (job,) = finished_runs(tmp_path / "damaged")[:1]
    summary = job.folder / "result" / "summary.json"
    summary.write_text(summary.read_text(encoding="utf-8").replace("chat", "tahc"), encoding="utf-8")
    for view in ("start", "run", "results", "compare"):
        test = show(view, [job], runs=job.id)
        assert not test.exception
    said = show("results", [job], runs=job.id).error
    assert any("summary.json" in one.value.replace("\\", "") for one in said)


def test_the_comparison_says_who_wins(show: Open, runs: list[Job]) -> None:
    test = show("compare", runs, runs=",".join(job.id for job in runs))
    said = test.success[0].value
    assert "**h100** wins on cost" in said
    assert "within noise" in said or "clear" in said or "beyond noise" in said


def test_a_change_in_the_form_is_in_the_text_and_the_estimate(show: Open) -> None:
    test = show("scenario")
    before = test.metric[0].value
    tensor = next(one for one in test.number_input if one.label == "Tensor")
    tensor.set_value(2).run()
    assert "tensor: 2" in test.session_state["draft"].text
    assert test.metric[0].value != before


def test_what_cannot_be_is_told_beside_the_form(show: Open) -> None:
    test = show("scenario")
    replicas = next(one for one in test.number_input if one.label.startswith("Replicas"))
    replicas.set_value(9).run()
    assert any("36 accelerators" in one.value for one in test.warning)
    run = next(one for one in test.button if one.label == "Run or compare")
    assert run.disabled


def test_a_wrong_text_is_marked_with_line_and_remedy(show: Open) -> None:
    test = show("scenario")
    draft = test.session_state["draft"]
    draft.write(draft.text.replace("dgx-h100", "dgx-h10"))
    test.run()
    assert "1" in test.error[0].value
    assert any("line 12" in one.value and "dgx-h10" in one.value for one in test.text)
    assert any("dgx" in one.value for one in test.caption)


def test_a_run_starts_and_ends_in_the_background(show: Open, tmp_path: Path) -> None:
    test = show("run")
    draft = test.session_state["draft"]
    draft.write(scenario_text())
    test.run()
    next(one for one in test.button if one.label == "Run it").click().run()
    (job,) = Workspace(tmp_path / "empty").jobs()
    wait_until_over(job)
    assert job.status().state == "done"


def test_a_run_that_could_never_be_over_is_told_and_not_started(show: Open, tmp_path: Path) -> None:
    test = show("run")
    draft = test.session_state["draft"]
    draft.write(f"{scenario_text()}reliability: {{node_mtbf: 1 us}}\n")
    test.run()
    next(one for one in test.button if one.label == "Run it").click().run()
    assert any("nodes fail every" in one.value for one in test.warning)
    assert Workspace(tmp_path / "empty").jobs() == []


def test_alternatives_are_estimated_before_they_run(show: Open) -> None:
    test = show("run")
    test.selectbox(key="vary").set_value("cluster.node").run()
    test.multiselect(key="values-cluster.node").set_value(
        ["dgx-h100", "dgx-b200", "rtx-4090-workstation"]
    ).run()
    assert not test.exception
    button = next(one for one in test.button if one.label.startswith("Run the"))
    assert button.label == "Run the 2 alternatives"  # the workstation has too few accelerators


def test_a_link_opens_its_scenario(show: Open) -> None:
    from dcsim.app.share import packed

    code = packed(scenario_text("from-a-link"))
    test = show("scenario", scenario=str(code))
    assert "from-a-link" in test.session_state["draft"].text


def test_a_damaged_link_says_so(show: Open) -> None:
    test = show("scenario", scenario="nonsense")
    assert not test.exception
    assert "damaged" in test.error[0].value


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("view", VIEWS)
def test_every_page_speaks_every_language(
    monkeypatch: pytest.MonkeyPatch, runs: list[Job], view: str, language: str
) -> None:
    named = ",".join(job.id for job in runs)
    test = opened(view, runs[0].folder.parents[1], monkeypatch, language, runs=named)
    assert not test.exception


def test_names_that_are_markup_are_shown_as_they_are(show: Open) -> None:
    test = show("scenario")
    draft = test.session_state["draft"]
    draft.write(
        scenario_text().replace("What does a chat cost", "<img src=x onerror=alert(1)> [x](javascript:1)")
    )
    test.run()
    test.session_state["view"] = "run"
    test.run()
    assert not test.exception
    assert all("<img" not in one.value.replace("\\<", "") for one in test.markdown)


def test_searching_the_catalogue_leaves_what_matches(show: Open) -> None:
    test = show("catalogue")
    test.text_input(key="search").set_value("no such thing at all").run()
    assert "no such thing" in test.info[0].value.replace("\\", "")


def test_the_dashboard_itself_draws_its_first_page(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DCSIM_WORKSPACE", str(tmp_path))
    script = Path(__file__).resolve().parents[2] / "app" / "dashboard.py"
    test = AppTest.from_file(str(script), default_timeout=PATIENCE_S).run()
    assert not test.exception
    assert [button.label for button in test.button].count("Answer it") == len(QUESTIONS)
