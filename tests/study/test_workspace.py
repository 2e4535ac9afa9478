"""Runs in the background: they give what `run` gives, tell how far they are, and end when told to."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import dcsim
from dcsim.study.file_lock import is_locked, try_lock
from dcsim.study.job import ALIVE, Job, JobState, JobStatus, read_status, write_status
from dcsim.study.workspace import Workspace
from tests.study.scenarios_for_tests import small_cluster

SCENARIO = """
name: chat
duration: 4 min
replications: 2
calibration_draws: 0
cluster: {node: dgx-h100, num_nodes: 1}
serving:
  chat:
    model: llama-3.1-8b
    engine: vllm
    num_replicas: 8
    traffic:
      arrivals: {policy: poisson, rate: 4 /s}
      lengths: {policy: fixed, prompt: 300, output: 40}
"""
LONG = {"duration": "1000 h", "replications": 1}
PATIENCE_S = 60.0


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "workspace")


def wait(is_so: Callable[[], bool]) -> None:
    ends_at_s = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < ends_at_s, "it never came to that"
        time.sleep(0.05)


def ended(job: Job) -> JobState:
    wait(lambda: job.status().state.is_over)
    return job.status().state


def test_a_job_gives_the_bytes_that_a_run_gives(workspace: Workspace) -> None:
    scenario = dcsim.load(SCENARIO)
    job = workspace.start(scenario)
    assert ended(job) is JobState.DONE
    assert job.result().summary_text() == dcsim.run(scenario, num_processes=1).summary_text()
    assert job.status().done_frac == 1.0


def test_replications_come_in_one_by_one(workspace: Workspace) -> None:
    job = workspace.start(dcsim.load(SCENARIO))
    ended(job)
    partial = job.partial()
    assert partial is not None
    assert partial.number("num_replications") == 1
    assert partial.number("serving.chat.ttft_s.p99")


def test_runs_are_found_again_the_latest_first(workspace: Workspace) -> None:
    first = workspace.start(dcsim.load(SCENARIO))
    ended(first)
    wait(lambda: time.strftime("%Y%m%d-%H%M%S", time.gmtime()) > first.id)
    second = workspace.start(dcsim.load(SCENARIO))
    ended(second)
    again = Workspace(workspace.folder)
    assert [job.id for job in again.jobs()] == [second.id, first.id]
    assert again.job(first.id).name == "chat"


def test_a_cancelled_run_ends_and_says_so(workspace: Workspace) -> None:
    job = workspace.start(dcsim.load(SCENARIO, overrides=LONG))
    wait(lambda: job.status().state is JobState.RUNNING)
    job.cancel()
    assert job.status().state is JobState.CANCELLED
    assert not is_locked(job.folder / ALIVE)
    with pytest.raises(dcsim.ScenarioError, match="cancelled"):
        job.result()


def test_a_run_cancelled_before_its_turn_never_runs(workspace: Workspace) -> None:
    first = workspace.start(dcsim.load(SCENARIO, overrides=LONG))
    wait(lambda: first.status().state is JobState.RUNNING)
    waiting = [workspace.start(dcsim.load(SCENARIO)) for _ in range((os.cpu_count() or 1) // 4 + 1)]
    waiting[-1].cancel()
    first.cancel()
    assert [ended(job) for job in waiting][-1] is JobState.CANCELLED


def test_a_killed_run_has_failed(workspace: Workspace) -> None:
    job = workspace.start(dcsim.load(SCENARIO, overrides=LONG))
    wait(lambda: job.status().state is JobState.RUNNING)
    os.kill(int((job.folder / ALIVE).read_text()), signal.SIGKILL)
    assert ended(job) is JobState.FAILED
    assert "gone" in job.status().error


def test_a_run_that_goes_wrong_tells_why(workspace: Workspace) -> None:
    job = workspace.start(dcsim.load(SCENARIO))
    ended(job)
    broken = job.scenario_path.read_text().replace("dgx-h100", "dgx-h1000")
    job.scenario_path.write_text(broken)
    write_status(job.folder, JobStatus(JobState.QUEUED))
    job.start()
    wait(lambda: read_status(job.folder).state.is_over)
    assert job.status().state is JobState.FAILED
    assert "dgx-h100" in job.status().error


def test_an_infeasible_run_is_not_started(workspace: Workspace) -> None:
    with pytest.raises(dcsim.InfeasibleError):
        workspace.start(dcsim.load(SCENARIO, overrides={"serving.chat.num_replicas": 9}))
    assert workspace.jobs() == []


def test_a_run_that_cannot_start_leaves_no_folder(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Job) -> None:
        raise OSError("no more processes")

    monkeypatch.setattr(Job, "start", refuse)
    with pytest.raises(OSError, match="no more processes"):
        workspace.start(dcsim.load(SCENARIO))
    assert list((workspace.folder / "runs").iterdir()) == []


def test_the_files_that_a_scenario_names_go_with_it(workspace: Workspace, tmp_path: Path) -> None:
    trace = tmp_path / "mine.csv"
    rows = "".join(f"{second},100,10\n" for second in range(60))
    trace.write_text(f"arrived_at_s,num_prompt_tokens,num_output_tokens\n{rows}", encoding="utf-8")
    scenario = dcsim.load(
        SCENARIO, overrides={"serving.chat.traffic": {"trace": "mine.csv"}, "duration": None}, folder=tmp_path
    )
    job = workspace.start(scenario)
    trace.unlink()
    assert ended(job) is JobState.DONE
    assert job.result().summary["serving"]["chat"]["num_requests"] == 60  # type: ignore[index]


def test_a_removed_run_leaves_nothing(workspace: Workspace) -> None:
    job = workspace.start(dcsim.load(SCENARIO, overrides=LONG))
    job.remove()
    assert workspace.jobs() == []
    assert not job.folder.exists()


@pytest.mark.parametrize("job_id", ["", "..", "../..", "20260101-000000-000000", "/etc", "x" * 5000, "a\0b"])
def test_no_id_leads_out_of_the_workspace(workspace: Workspace, job_id: str) -> None:
    with pytest.raises(dcsim.ScenarioError, match="no such run"):
        workspace.job(job_id)


def test_a_lock_is_held_by_one(tmp_path: Path) -> None:
    held = try_lock(tmp_path / "lock")
    assert held is not None
    assert try_lock(tmp_path / "lock") is None
    assert is_locked(tmp_path / "lock")
    held.close()
    assert not is_locked(tmp_path / "lock")


def test_the_rest_is_guessed_from_what_is_done() -> None:
    status = JobStatus(JobState.RUNNING, 0.25, running_since_s=100.0, finished_at_s=110.0)
    assert status.elapsed_s == pytest.approx(10.0)
    assert status.remaining_s == pytest.approx(30.0)
    assert JobStatus(JobState.RUNNING, 0.001, running_since_s=100.0).remaining_s is None


def test_a_training_job_that_cannot_be_is_refused_before_anything_starts(tmp_path):
    workspace = Workspace(tmp_path)
    with pytest.raises(dcsim.InfeasibleError, match="overflows"):
        workspace.start(small_cluster(training__pretrain__model="llama-3.1-405b"))
    assert not list(workspace.jobs())
