"""The jobs section from YAML values to tables: sources, bad input, infeasible jobs, and no hang."""

from __future__ import annotations

import signal
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from dcsim.errors import ScenarioError
from dcsim.plugins import policy_names
from dcsim.sim.jobs.build import JobTables, simulate_jobs
from dcsim.sim.streams import Streams
from dcsim.spec.cluster import Cluster
from dcsim.spec.jobs import Jobs, job_problems
from dcsim.tables.jobs import JOBS, POOL, JobReason, JobStatus
from tests.sim.jobs.small import SCHEDULERS

ARRIVALS = {
    "policy": "poisson",
    "rate": "0.02 /s",
    "duration_mean": "10 min",
    "sizes": [{"accelerators": size, "share": share} for size, share in ((1, 0.6), (4, 0.3), (16, 0.1))],
}
WATCHDOG_S = 60  # of real time: a run takes a tenth of a second


def simulated(jobs: dict[str, object], num_nodes: int = 2, duration_s: float | None = 20_000.0) -> JobTables:
    cluster = Cluster.model_validate({"node": "dgx-a100", "num_nodes": num_nodes})
    section = Jobs.model_validate({"arrivals": ARRIVALS, **jobs})
    return simulate_jobs(section, cluster, duration_s=duration_s, streams=Streams(1, 0))


def test_tables_have_the_declared_columns_and_add_up():
    tables = simulated({})
    assert list(tables.jobs.columns) == list(JOBS)
    assert list(tables.pool.columns) == list(POOL)
    used = float((tables.pool["num_used"] * tables.pool["duration_s"]).sum())
    assert used == pytest.approx(float(tables.jobs["accelerator_s"].sum()))
    assert np.allclose(tables.pool["num_used"] + tables.pool["num_free"], 16)
    assert (np.diff(tables.jobs["submitted_at_s"]) >= 0).all()


def test_the_same_seed_gives_the_same_rows():
    first, again = simulated({"placement": "random"}), simulated({"placement": "random"})
    for name in JOBS:
        assert np.array_equal(first.jobs[name], again.jobs[name], equal_nan=JOBS[name].dtype.startswith("f"))


def test_a_job_larger_than_the_cluster_is_a_row_with_its_reason():
    jobs = simulated({}, num_nodes=1).jobs
    is_large = jobs["num_accelerators"] == 16
    assert (jobs["status"][is_large] == int(JobStatus.INFEASIBLE)).all()
    assert (jobs["reason"][is_large] == int(JobReason.ACCELERATORS)).all()
    assert (jobs["reason"][~is_large] == int(JobReason.NONE)).all()


HARD = {
    "plain": {},
    "maintenance without end": {
        "maintenance": [{"start": "0 s", "duration": "50 min", "every": "50 min", "num_nodes": 2}]
    },
    "spot that goes at once": {
        "spot": {"num_nodes": 2, "mean_available": "1 s", "mean_away": "1 s"},
        "preemption": {"restart": "1 h", "max_restarts": 20},
    },
    "costly restarts": {"preemption": {"restart": "1 d", "saves": False}},
    "estimates of nothing": {"estimate_scale": 1e-9},
}


@pytest.mark.parametrize("name", policy_names(SCHEDULERS))
@pytest.mark.parametrize("trouble", HARD)
def test_no_configuration_hangs(name, trouble):
    def bark(*_: object) -> None:
        raise TimeoutError(f"{name} hangs under {trouble}")

    signal.signal(signal.SIGALRM, bark)
    signal.alarm(WATCHDOG_S)
    try:
        jobs = simulated({"scheduler": name, **HARD[trouble]}, duration_s=10_000.0).jobs
    finally:
        signal.alarm(0)
    assert len(jobs) > 0


def test_without_a_duration_a_run_ends_with_its_last_job():
    tables = simulated({"arrivals": {**ARRIVALS, "jobs": 50}}, duration_s=None)
    assert len(tables.jobs) == 50
    assert tables.ended_at_s == np.nanmax(tables.jobs["finished_at_s"])


def test_arrivals_without_an_end_are_refused():
    with pytest.raises(ScenarioError, match="without an end"):
        simulated({}, duration_s=None)


def test_jobs_come_from_one_source():
    with pytest.raises(ValidationError, match="either trace or arrivals"):
        Jobs.model_validate({"trace": "a.csv", "arrivals": ARRIVALS})


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        (
            {"maintenance": [{"start": "0 s", "duration": "1 h", "num_nodes": 9}]},
            ("maintenance", 0, "num_nodes"),
        ),
        ({"spot": {"num_nodes": 9, "mean_available": "1 h", "mean_away": "1 h"}}, ("spot", "num_nodes")),
        ({"scheduler": {"policy": "quota", "quotas": {"a": 99}}}, ("scheduler", "quotas")),
        ({"scheduler": {"policy": "quota", "quotas": {"a": -1}}}, ("scheduler", "quotas", "a")),
        ({"scheduler": {"policy": "quota", "quotas": {"a": 1, "c": 1}}}, ("scheduler", "quotas", "c")),
    ],
)
def test_contradictions_with_the_cluster_are_named(fields, path):
    section = Jobs.model_validate({"arrivals": {**ARRIVALS, "queues": {"a": 3, "b": 1}}, **fields})
    assert [problem.path for problem in job_problems(section, 2, 16)] == [path]


def test_windows_that_overlap_themselves_are_refused():
    window = {"start": "0 s", "duration": "2 h", "every": "1 h", "num_nodes": 1}
    with pytest.raises(ValidationError, match="at least drain and duration"):
        Jobs.model_validate({"arrivals": ARRIVALS, "maintenance": [window]})


def test_a_part_of_a_trace_begins_at_zero(tmp_path: Path):
    rows = "submitted_at_s,duration_s,num_accelerators\n" + "".join(f"{100 * i},10,1\n" for i in range(10))
    (tmp_path / "jobs.csv").write_text(rows)
    trace = {"path": str(tmp_path / "jobs.csv"), "skip": "250 s", "span": "300 s", "rate_scale": 2}
    jobs = Jobs.model_validate({"trace": trace})
    cluster = Cluster.model_validate({"node": "dgx-a100", "num_nodes": 1})
    tables = simulate_jobs(jobs, cluster, streams=Streams(1, 0))
    assert tables.jobs["submitted_at_s"].tolist() == [25.0, 75.0, 125.0]
    with pytest.raises(ScenarioError, match="no job in the time"):
        simulate_jobs(
            Jobs.model_validate({"trace": {**trace, "skip": "1 d"}}), cluster, streams=Streams(1, 0)
        )
