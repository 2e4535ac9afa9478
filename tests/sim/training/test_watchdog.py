"""No configuration hangs: whatever the rates, a run ends, and says what became of the job."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator

import pytest

import dcsim
from dcsim.errors import InfeasibleError
from dcsim.sim.failures import process
from dcsim.sim.simulation import simulate
from dcsim.sim.training.checkpointing import SaveTimes
from dcsim.spec.reliability import Reliability
from dcsim.tables.training import TrainingStatus
from tests.sim.training.clusters import World, crashing, reliability, total_s

LIMIT_S = 60  # generous: a run of these takes well under a second


@pytest.fixture(autouse=True)
def _watchdog() -> Iterator[None]:
    def bark(*_: object) -> None:
        raise TimeoutError("the simulation hangs")

    before = signal.signal(signal.SIGALRM, bark)
    signal.alarm(LIMIT_S)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def test_failures_that_never_let_a_checkpoint_finish_stall_the_job_to_the_end() -> None:
    world = World(crashing(30.0, initialization="20 s"), num_steps=10_000, steps_per_save=600)
    table = world.run(30_000.0)
    assert world.job.status is TrainingStatus.STALLED
    assert total_s(table, "productive") < 600.0
    assert table["duration_s"].sum() == pytest.approx(30_000.0)


@pytest.mark.parametrize(
    "section",
    [
        crashing(0.5),
        crashing(1e-3, detection="1 s"),
        reliability(node_mtbf="1 s", node_mttr="100 d"),
        reliability(node_mtbf="1 s", node_mttr="1 ms", elastic_shrink=True),
        reliability(maintenance=[{"every": "2 s", "duration": "1.9 s"}]),
        reliability(maintenance=[{"every": "2 us", "duration": "1 us"}]),
        reliability(slow_nodes={"share": 1.0, "slowdown": 1e6}, slow_detection="1 s"),
        reliability(
            node_mtbf="2 s",
            node_mttr="1 s",
            predictive_maintenance={"precision": 0.01, "recall": 1.0, "lead": "1 s"},
        ),
    ],
)
@pytest.mark.parametrize("times", [SaveTimes(0.0), SaveTimes(5.0, drain_s=1e4, restore_s=1e3)])
def test_a_run_ends_whatever_happens(
    section: Reliability, times: SaveTimes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "MAX_FAILURES", 2_000)
    world = World(section, num_steps=1e9, steps_per_save=10, times=times, num_spares=1)
    with contextlib.suppress(InfeasibleError):  # more failures than a run can hold
        assert world.run(1_000.0)["duration_s"].sum() == pytest.approx(1_000.0)


def job(**sections: object) -> dcsim.Scenario:
    training = {
        "model": "llama-3.1-8b",
        "software": "megatron",
        "num_nodes": 1,
        "parallelism": {"tensor": 8},
        "batch": {"sequences": 64, "tokens": 4096},
        "steps": 1000,
        "checkpoint": {"interval": "10 min"},
    }
    document = {
        "name": "doomed",
        "cluster": {"node": "dgx-h100", "num_nodes": 1},
        "training": {"tune": training},
    }
    return dcsim.load({**document, **sections})


def test_a_job_without_prospects_is_infeasible_before_anything_is_simulated() -> None:
    with pytest.raises(InfeasibleError, match=r"training\.tune: its nodes fail every 5 s"):
        simulate(job(reliability={"node_mtbf": "5 s"}), 0)


def test_more_failures_than_a_run_can_hold_are_infeasible_at_once() -> None:
    with pytest.raises(InfeasibleError, match=r"nodes fail every 1 ms"):
        simulate(job(reliability={"node_mtbf": "1 ms"}, duration="1 d"), 0)
