"""Jobs that could never get on are refused before the run, with the reason; those that can are not."""

from __future__ import annotations

import pytest

import dcsim
from dcsim.errors import InfeasibleError
from dcsim.sim.simulation import require_startable, simulate

TEXT = """
name: obstacles
cluster:
  node: dgx-h100
  num_nodes: 4
  storage: {pfs: {base: lustre-flash}, objects: {base: s3-standard}}
training:
  job:
    model: llama-3.1-8b
    parallelism: {tensor: 8, data: 4}
    batch: {sequences: 128, micro: 1, tokens: 8192}
    steps: 200
    checkpoint: {store: pfs, interval: 60 s}
"""
SLOW = "cluster.storage.pfs.base"


def slow(**rates: str) -> dict[str, object]:
    return {SLOW: {"base": "lustre-flash", **rates}}


def maintained(every: str, duration: str, **more: object) -> dict[str, object]:
    return {"reliability": {"maintenance": [{"every": every, "duration": duration, **more}]}}


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        (slow(write_bandwidth="1e-300 B/s"), "a checkpoint takes for ever to write"),
        (slow(write_bandwidth="10 kB/s"), r"a checkpoint takes 130 d .* none would ever be saved"),
        ({**slow(write_bandwidth="10 kB/s"), "duration": "1 d"}, "none would ever be saved"),
        (
            {**slow(read_bandwidth="1e-300 B/s"), "training.job.dataset.store": "pfs"},
            "its samples arrive at 1e-300 B/s",
        ),
        (maintained("10 min", "9.9999 min"), "leaves 0 s of work between two windows"),
        (
            {**maintained("10 min", "5 min"), "training.job.checkpoint": None},
            "without checkpoints each one undoes all work",
        ),
        (maintained("10 min", "599.9 s", nodes="25 %"), "leaves 0 s of work"),
    ],
)
def test_a_job_that_could_never_get_on_is_infeasible_before_the_run(
    changed: dict[str, object], reason: str
) -> None:
    with pytest.raises(InfeasibleError, match=f"training.job: .*{reason}"):
        require_startable(dcsim.load(TEXT, overrides=changed))


@pytest.mark.parametrize(
    "changed",
    [
        {},
        maintained("10 min", "5 min"),
        maintained("10 min", "599.9 s", first="10 h"),  # the job has ended by then
        {
            **maintained("10 min", "599.9 s", nodes="25 %"),
            "cluster.num_nodes": 8,
            "training.job.num_nodes": 4,
        },
        {**slow(write_bandwidth="10 kB/s"), "duration": "50 s"},  # no checkpoint is due
    ],
)
def test_a_job_that_only_loses_time_is_not_refused(changed: dict[str, object]) -> None:
    require_startable(dcsim.load(TEXT, overrides=changed))


def test_a_job_between_windows_of_maintenance_gets_to_its_end() -> None:
    tables = simulate(dcsim.load(TEXT, overrides=maintained("10 min", "5 min")), 0)
    assert tables.cluster["training_jobs"]["status"].tolist() == ["finished"]


def test_shuffles_without_end_are_counted_beforehand() -> None:
    changed = {"training.job.dataset": {"store": "pfs", "reshuffle": True}, "training.job.dataset_tokens": 10}
    with pytest.raises(InfeasibleError, match=r"training\.job\.dataset: shuffles every"):
        require_startable(dcsim.load(TEXT, overrides=changed))
