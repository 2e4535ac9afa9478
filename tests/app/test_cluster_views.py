"""Pages of runs that train and schedule: each section where its part of the result is, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("streamlit", reason="the extra dashboard is not installed")

from dcsim import Job, Workspace
from tests.app.cluster_runs import cluster_text, finished_cluster_runs
from tests.app.pages import opened, texts
from tests.app.runs import finished_runs, wait_until_over
from tests.study.scenarios_for_tests import tiny

OF_SERVING = {"Latency", "Why"}
OF_THE_CLUSTER = {"Training", "Jobs", "Gantt", "Failures", "Network", "Storage"}
ALWAYS = {"Over time", "Energy and cost", "How far to trust it", "Take it away"}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Job]:
    return finished_cluster_runs(tmp_path_factory.mktemp("cluster"))


@pytest.fixture(scope="module")
def workspace(runs: list[Job]) -> Path:
    return runs[0].folder.parents[1]


def titles(job: Job, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    test = opened("results", job.folder.parents[1], monkeypatch, runs=job.id)
    assert not test.exception
    return {tab.label for tab in test.tabs} & (OF_SERVING | OF_THE_CLUSTER | ALWAYS)


def test_a_run_without_serving_has_the_sections_of_the_cluster(
    runs: list[Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert titles(runs[0], monkeypatch) == OF_THE_CLUSTER | ALWAYS


def test_a_run_of_jobs_alone_has_theirs_only(runs: list[Job], monkeypatch: pytest.MonkeyPatch) -> None:
    assert titles(runs[2], monkeypatch) == {"Jobs", "Gantt"} | ALWAYS


def test_a_run_of_serving_has_none_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (job,) = finished_runs(tmp_path / "served")[:1]
    assert titles(job, monkeypatch) == OF_SERVING | ALWAYS


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_section_is_drawn_in_every_language(
    runs: list[Job], workspace: Path, monkeypatch: pytest.MonkeyPatch, language: str
) -> None:
    for job in (runs[0], runs[2]):
        test = opened("results", workspace, monkeypatch, language, runs=job.id)
        for label in [tab.label for tab in test.tabs]:
            test.session_state["sections"] = label
            assert not test.run().exception, label


@pytest.mark.parametrize(
    ("title", "says"),
    [
        ("Training", "is effective training time"),
        ("Jobs", "Accelerators of the pool"),
        ("Gantt", "Scheduled jobs"),
        ("Failures", "failures stopped a node or a job"),
        ("Network", "Use of the links"),
        ("Storage", "checkpoints"),
    ],
)
def test_a_section_says_what_it_is_for(
    runs: list[Job], workspace: Path, monkeypatch: pytest.MonkeyPatch, title: str, says: str
) -> None:
    test = opened("results", workspace, monkeypatch, runs=runs[0].id)
    test.session_state["sections"] = title
    assert says in texts(test.run())


def test_the_tiles_show_the_numbers_of_the_summary(
    runs: list[Job], workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    test = opened("results", workspace, monkeypatch, runs=runs[0].id)
    shown = {metric.label: metric.value for metric in test.metric}
    goodput = runs[0].result().view.number("training.tune.productive_frac")
    wait_s = runs[0].result().view.number("jobs.wait_s.p50")
    assert goodput is not None
    assert wait_s is not None
    assert float(shown["Goodput"].split()[0]) == pytest.approx(100 * goodput, rel=0.005)
    assert "Wait p50" in shown


def test_runs_without_serving_are_compared(
    runs: list[Job], workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    test = opened("compare", workspace, monkeypatch, runs=",".join(job.id for job in runs[:2]))
    assert not test.exception
    assert not test.error
    labels = {metric.label for metric in test.metric}
    assert {"Goodput", "Cost per M tokens", "Wait p50"} <= labels
    assert "Latency that counts" not in {one.label for one in test.selectbox}


def test_the_run_page_tells_of_training(
    runs: list[Job], workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    test = opened("run", workspace, monkeypatch, runs=",".join(job.id for job in runs))
    assert not test.exception
    assert {"Goodput", "Wait p99"} <= {metric.label for metric in test.metric}


def test_a_training_job_is_estimated_as_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    test = opened("scenario", tmp_path, monkeypatch)
    test.session_state["draft"].write(cluster_text())
    test.run()
    assert not test.exception
    assert {"Step time", "MFU", "Time to the end"} <= {metric.label for metric in test.metric}
    before = next(metric.value for metric in test.metric if metric.label == "Step time")
    next(one for one in test.number_input if one.label.startswith("Sequences per step")).set_value(256).run()
    assert "sequences: 256" in test.session_state["draft"].text
    assert before != next(metric.value for metric in test.metric if metric.label == "Step time")


@pytest.mark.parametrize(
    ("button", "written"),
    [("Add a training job", "training:"), ("Add a store", "storage:"), ("Add a served model", "chat-2:")],
)
def test_parts_are_added_by_name_and_taken_out_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, button: str, written: str
) -> None:
    test = opened("scenario", tmp_path, monkeypatch)
    before = test.session_state["draft"].text
    assert written not in before
    next(one for one in test.button if one.label == button).click().run()
    assert not test.exception
    assert written in test.session_state["draft"].text
    assert not test.session_state["draft"].checked().problems
    removes = [one for one in test.button if one.label == "Take it out"]
    added = {"Add a training job": "train", "Add a store": "store", "Add a served model": "chat-2"}[button]
    next(one for one in removes if added in str(one.help)).click().run()
    assert not test.exception
    assert written not in test.session_state["draft"].text


@pytest.mark.parametrize("switch", ["Jobs wait for its nodes", "Things fail", "Nodes share a network"])
def test_parts_that_may_be_left_out_have_a_switch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, switch: str
) -> None:
    test = opened("scenario", tmp_path, monkeypatch)
    next(one for one in test.toggle if one.label.startswith(switch)).set_value(True).run()
    assert not test.exception
    assert not test.session_state["draft"].checked().problems


def test_new_kinds_of_the_catalogue_are_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in ("software", "storage", "reliability", "collectives"):
        test = opened("catalogue", tmp_path, monkeypatch)
        test.session_state["kind"] = kind
        assert not test.run().exception
        assert len(test.dataframe[0].value) > 0


def test_serving_beside_jobs_shows_what_it_has_of_the_bill(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrivals = {"policy": "poisson", "rate": "1 /s", "duration_mean": "5 s"}
    job = Workspace(tmp_path).start(tiny(jobs={"arrivals": arrivals}, cluster__num_nodes=2))
    wait_until_over(job)
    test = opened("results", tmp_path, monkeypatch, runs=job.id)
    labels = [metric.label for metric in test.metric]
    for label in ("Cost per M output tokens", "Energy per output token, IT", "CO2e per M output tokens"):
        assert label in labels
    assert "Of the cluster's bill, by accelerator time held" in texts(test)
