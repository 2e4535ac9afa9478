"""Training jobs in the job scheduler's queue: they wait, are stopped and go on; everything counts once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dcsim
from dcsim.errors import InfeasibleError, ScenarioError
from dcsim.sim.simulation import simulate
from dcsim.tables import Table
from dcsim.tables.jobs import JobStatus
from tests.sim.training.test_watchdog import _watchdog  # noqa: F401 (a fixture)

TRAINING = {
    "model": "llama-3.1-8b",
    "software": "megatron",
    "num_nodes": 4,
    "parallelism": {"tensor": 8},
    "batch": {"sequences": 64, "tokens": 4096},
    "steps": 1000,
    "checkpoint": {"interval": "5 min", "store": "fs"},
}
FABRIC = {"topology": "leaf_spine", "oversubscription": 2}
CSV = {"policy": "csv", "priority_column": "priority"}
RECOVERY = {
    "detection": "7 s",
    "diagnosis": "11 s",
    "swap": "13 s",
    "initialization": "17 s",
    "warmup": "19 s",
}
FIRST = (0, 1, 1, -1)  # instants of a trace count from its first job
NEVER = {"preset": "none", **RECOVERY}


def scenario(scheduled: object = None, jobs: object = None, **sections: object) -> dcsim.Scenario:
    """A training job on four nodes, on its own or in the queue of a section jobs."""
    tune = {**TRAINING, **({} if scheduled is None else {"scheduled": scheduled})}
    cluster = {"node": "dgx-h100", "num_nodes": 4, "fabric": FABRIC, "storage": {"fs": "lustre-flash"}}
    document = {"name": "queued", "cluster": cluster, "training": {"tune": tune}, "reliability": NEVER}
    overrides = {**sections, **({} if jobs is None else {"jobs": jobs})}
    return dcsim.load(document, overrides=overrides)


def trace(folder: Path, *rows: tuple[float, float, int, int]) -> dict[str, object]:
    """Jobs by submission, run time, accelerators and priority."""
    path = folder / "jobs.csv"
    lines = [",".join(map(str, row)) for row in rows]
    path.write_text(
        "\n".join(["submitted_at_s,duration_s,num_accelerators,priority", *lines]), encoding="utf-8"
    )
    return {"path": str(path), "format": CSV}


def failing(folder: Path, *instants_s: float, **fields: object) -> dict[str, object]:
    """A section in which node 0 fails at given instants."""
    path = folder / "failures.csv"
    path.write_text("at_s,node\n" + "".join(f"{at_s},0\n" for at_s in instants_s), encoding="utf-8")
    cause = {"component": "node", "times": {"policy": "trace", "path": str(path)}}
    return {**RECOVERY, "preset": {"base": "none", "causes": {"hardware": cause}}, **fields}


def finished_at_s(tables: dict[str, Table]) -> float:
    return float(tables["training_jobs"]["finished_at_s"][0])


def trained(tables: dict[str, Table], column: str) -> float:
    jobs = tables["jobs"]
    return float(jobs[column][jobs["training"] == "tune"][0])


def seconds(tables: dict[str, Table], *kinds: str, cause: str | None = None) -> float:
    spans = tables["training_spans"]
    rows = np.isin(spans["kind"].astype(str), kinds)
    if cause is not None:
        rows &= spans["cause"] == cause
    return float(spans["duration_s"][rows].sum())


@pytest.fixture(scope="module")
def alone_s() -> float:
    """The end of the same job on nodes of its own."""
    return finished_at_s(simulate(scenario(), 0).cluster)


@pytest.mark.parametrize(
    "scheduler", ["fifo", "easy_backfill", "priority", "fair_share", "shortest_remaining"]
)
def test_in_an_empty_queue_it_is_as_on_nodes_of_its_own(alone_s: float, scheduler: str) -> None:
    tables = simulate(scenario({}, {"scheduler": scheduler}), 0).cluster
    assert finished_at_s(tables) == alone_s
    assert trained(tables, "finished_at_s") == trained(tables, "held_s") == alone_s
    assert trained(tables, "wait_s") == trained(tables, "lost_s") == 0.0


def test_what_the_scheduler_is_told_is_its_time_alone(alone_s: float) -> None:
    tables = simulate(scenario({}, {"estimate_scale": 2.0}), 0).cluster
    assert trained(tables, "estimated_s") == pytest.approx(2.0 * alone_s, rel=0.01)


def test_behind_a_long_job_it_waits_for_what_is_left_of_that(tmp_path: Path, alone_s: float) -> None:
    jobs = {"trace": trace(tmp_path, (0, 5000, 32, 0)), "scheduler": "fifo"}
    tables = simulate(scenario({}, jobs, **{"training.tune.start": "800 s"}), 0).cluster
    assert seconds(tables, "queue") == trained(tables, "wait_s") == 4200.0
    assert finished_at_s(tables) == pytest.approx(5000.0 + alone_s)


def test_before_it_is_submitted_it_waits_for_nothing() -> None:
    times = {"duration": "1 h", "training.tune.start": "2 h"}
    assert trained(simulate(scenario({}, {}, **times), 0).cluster, "wait_s") == 0.0


def test_preempted_for_a_while_it_ends_later_by_that_and_its_restart(tmp_path: Path, alone_s: float) -> None:
    jobs = {"trace": trace(tmp_path, FIRST, (1000, 700, 32, 9)), "scheduler": "priority"}
    tables = simulate(scenario({"priority": 1}, jobs), 0).cluster
    restart_s = seconds(tables, "swap", "initialize", "restore", "warmup", cause="preemption")
    assert seconds(tables, "wait", cause="preemption") == 700.0
    assert restart_s > 13.0 + 17.0 + 19.0, "the checkpoint is read"
    assert finished_at_s(tables) == pytest.approx(alone_s + 700.0 + restart_s, abs=1e-6)
    assert trained(tables, "num_preemptions") == 1
    assert trained(tables, "lost_s") == pytest.approx(restart_s)


def test_preempted_without_saving_it_falls_back_to_its_checkpoint(tmp_path: Path) -> None:
    priority = {"trace": trace(tmp_path, FIRST, (1000, 700, 32, 9)), "scheduler": "priority"}
    kept = simulate(scenario({}, priority), 0).cluster
    lost = simulate(scenario({}, {**priority, "preemption": {"saves": False}}), 0).cluster
    assert seconds(kept, "lost") == 0.0 < seconds(lost, "lost") < 300.0 + 60.0
    assert finished_at_s(lost) == pytest.approx(finished_at_s(kept) + seconds(lost, "lost"), abs=60.0)
    spans = lost["training_spans"]
    productive = spans["num_steps"][spans["kind"] == "productive"].sum()
    assert productive == pytest.approx(1000.0)


def test_without_checkpoints_a_stop_loses_all(tmp_path: Path) -> None:
    jobs = {"trace": trace(tmp_path, FIRST, (1000, 700, 32, 9)), "scheduler": "priority"}
    tables = simulate(scenario({}, jobs, **{"training.tune.checkpoint": None}), 0).cluster
    spans = tables["training_spans"]
    assert spans["num_steps"][spans["kind"] == "productive"].sum() == pytest.approx(1000.0)
    assert seconds(tables, "lost") == pytest.approx(1000.0 - 17.0 - 19.0)


def test_a_node_failure_is_detected_and_sends_it_back_to_the_queue(tmp_path: Path, alone_s: float) -> None:
    reliability = failing(tmp_path, 1000.0, node_mttr="1 h")
    tables = simulate(scenario({}, {}, reliability=reliability), 0).cluster
    assert seconds(tables, "detect", cause="hardware") == 7.0
    assert seconds(tables, "diagnose", cause="hardware") == 11.0
    repaired_s = tables["failures"]["repaired_at_s"][0] - 1000.0
    assert seconds(tables, "wait") == pytest.approx(max(0.0, repaired_s - 18.0))
    assert 0.0 < seconds(tables, "lost") <= 310.0
    spans = tables["training_spans"]
    assert spans["num_steps"][spans["kind"] == "productive"].sum() == pytest.approx(1000.0)
    assert finished_at_s(tables) > alone_s + repaired_s
    assert trained(tables, "num_failures") == 1
    assert trained(tables, "wait_s") == pytest.approx(seconds(tables, "wait"))


def test_on_its_way_out_for_maintenance_it_keeps_its_work(alone_s: float) -> None:
    window = {"start": "1000 s", "duration": "600 s", "num_nodes": 1}
    tables = simulate(scenario({}, {"maintenance": [window]}), 0).cluster
    restart_s = seconds(tables, "swap", "initialize", "restore", "warmup", cause="maintenance")
    assert finished_at_s(tables) == pytest.approx(alone_s + 600.0 + restart_s, abs=1e-6)


def test_a_slow_node_slows_it_down(alone_s: float) -> None:
    slow = {**NEVER, "slow_nodes": {"share": 1.0, "slowdown": 0.5}}
    of_its_own = simulate(scenario(reliability=slow), 0).cluster
    queued = simulate(scenario({}, {}, reliability=slow), 0).cluster
    assert finished_at_s(queued) == finished_at_s(of_its_own) > 1.2 * alone_s


def test_its_placement_decides_what_its_collectives_find(tmp_path: Path) -> None:
    topology = {"policy": "leaf_spine", "hosts_per_leaf": 2, "oversubscription": 16}
    sections = {"cluster.fabric": {"topology": topology}, "training.tune.num_nodes": 2}
    ends_s = {}
    for placement, nodes in (("pack", [1, 2]), ("topology_aware", [2, 3])):
        jobs = {"trace": trace(tmp_path, (0, 9000, 8, 0)), "placement": placement, "nodes_per_leaf": 2}
        built = scenario({}, jobs, **{"training.tune.start": "1 s"}, **sections)
        tables = simulate(built, 0).cluster
        held = tables["node_holdings"]
        assert sorted(held["node"][held["kind"] == "training"]) == nodes, "node 0 is taken"
        ends_s[placement] = finished_at_s(tables)
    assert ends_s["topology_aware"] < 0.95 * ends_s["pack"], "one leaf, and no uplinks"


def overlaps(holdings: Table) -> float:
    """The most accelerators of one node that are held at one time."""
    most = 0.0
    for node in np.unique(holdings["node"]):
        mine = holdings["node"] == node
        starts, ends = (
            holdings["started_at_s"][mine],
            (holdings["started_at_s"] + holdings["duration_s"])[mine],
        )
        counts = holdings["num_accelerators"][mine]
        most = max([most, *(counts[(starts <= at) & (at + 1e-6 < ends)].sum() for at in starts)])
    return most


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 1000),
    scheduler=st.sampled_from(["fifo", "easy_backfill", "conservative_backfill", "priority", "quota"]),
    mtbf_h=st.integers(2, 40),
    saves=st.booleans(),
    has_spot=st.booleans(),
    checkpoint=st.sampled_from(
        [{"interval": "5 min", "store": "fs", "mode": mode} for mode in ("sync", "async")]
        + [{"interval": "5 min", "mode": "async"}]
    ),
)
def test_whatever_happens_every_accelerator_second_counts_once(
    seed: int, scheduler: str, mtbf_h: int, saves: bool, has_spot: bool, checkpoint: object
) -> None:
    jobs: dict[str, object] = {
        "arrivals": {"policy": "poisson", "rate": "30 /h", "duration_mean": "20 min", "jobs": 25},
        "scheduler": scheduler,
        "preemption": {"restart": "30 s", "checkpoint_interval": "5 min", "saves": saves},
    }
    if has_spot:
        jobs["spot"] = {"num_nodes": 1, "mean_available": "1 h", "mean_away": "10 min"}
    overrides = {
        "seed": seed,
        "cluster.num_nodes": 6,
        "training.tune.checkpoint": checkpoint,
        "reliability": {"node_mtbf": f"{mtbf_h} h", "node_mttr": "10 min"},
        "duration": "6 h",
    }
    built = scenario({"priority": 1}, jobs, **overrides)
    tables = simulate(built, 0).cluster
    spans, rows, pool, held = (tables[name] for name in ("training_spans", "jobs", "pool", "node_holdings"))
    assert overlaps(held) <= 8.0
    in_spans = (spans["num_accelerators"] * spans["duration_s"]).sum()
    mine, trained_s = held["kind"] == "training", trained(tables, "accelerator_s")
    assert in_spans == pytest.approx(trained_s)
    assert in_spans == pytest.approx((held["num_accelerators"] * held["duration_s"])[mine].sum())
    assert in_spans == pytest.approx((pool["num_training"] * pool["duration_s"]).sum())
    assert rows["accelerator_s"].sum() == pytest.approx((pool["num_used"] * pool["duration_s"]).sum())
    steps, job = spans["num_steps"], tables["training_jobs"]
    assert steps[spans["kind"] == "productive"].sum() == pytest.approx(job["num_steps"][0], abs=1e-6)
    assert trained(tables, "num_preemptions") == job["num_planned_stops"][0]
    if job["status"][0] == "finished":
        assert job["num_steps"][0] == 1000.0
    again = simulate(built, 0).cluster
    assert all(np.array_equal(spans[key], again["training_spans"][key]) for key in spans.columns)


@pytest.mark.usefixtures("_watchdog")
@pytest.mark.parametrize("duration", ["20 d", None])
@pytest.mark.parametrize("max_restarts", [0, 50])
def test_failures_that_never_let_it_get_on_end_all_the_same(duration: str | None, max_restarts: int) -> None:
    reliability = {**RECOVERY, "node_mtbf": "4 min", "node_mttr": "1 min"}
    overrides = {"reliability": reliability, "duration": duration, "training.tune.steps": 10**6}
    tables = simulate(scenario({}, {"preemption": {"max_restarts": max_restarts}}, **overrides), 0).cluster
    assert trained(tables, "num_failures") == max_restarts + 1
    assert trained(tables, "status") == JobStatus.ABANDONED
    assert tables["training_jobs"]["status"][0] == "stalled"
    assert "max_restarts" in tables["training_jobs"]["reason"][0]


def refusals() -> Iterator[tuple[dict[str, object], str]]:
    yield {"jobs": None}, "there is no queue to wait in"
    yield {"reliability.elastic_shrink": True}, "it cannot shrink"
    yield {"jobs": {"scheduler": "elastic"}}, "resizes jobs"
    yield {"jobs": {"placement": {"policy": "pack", "split": True}}}, "whole nodes"
    yield {"training.tune.steps": None, "duration": "1 h"}, "how long the job is"
    yield {"training.tune.kind": "sweep", "training.tune.sweep": {"trials": 2}}, "trials of a sweep"
    yield {"cluster.storage.fs": "nvme-gen4-7.68tb"}, "own drives"


@pytest.mark.parametrize(("overrides", "message"), list(refusals()))
def test_what_cannot_be_is_refused(overrides: dict[str, object], message: str) -> None:
    with pytest.raises(ScenarioError, match=message):
        scenario({}, **{"jobs": {}, **overrides})


def test_a_section_jobs_needs_somebody_who_submits() -> None:
    with pytest.raises(ScenarioError, match="nobody submits a job"):
        scenario(None, {})


def test_one_that_could_never_start_is_infeasible_with_its_reason() -> None:
    quota = {"scheduler": {"policy": "quota", "quotas": {"mine": 16}, "borrowing": False}}
    with pytest.raises(InfeasibleError, match=r"training\.tune: .* its queue's quota is 16"):
        simulate(scenario({"queue": "mine"}, quota), 0)
    spares = {**NEVER, "spares": 1}
    with pytest.raises(InfeasibleError, match=r"training\.tune: .* 32 accelerators, .* there are 24"):
        simulate(scenario({}, {}, reliability=spares), 0)


def test_what_serving_may_lend_counts_and_what_other_training_holds_does_not() -> None:
    serving = {
        "model": "llama-3.1-8b",
        "num_replicas": 8,
        "engine": "vllm",
        "weights": "fs",
        "lending": {"idle": [{"start": "0 s", "duration": "30 min", "every": "1 h", "replicas": 7}]},
        "traffic": {
            "arrivals": {"policy": "poisson", "rate": "1 /s"},
            "lengths": {"policy": "fixed", "prompt": 100, "output": 10},
        },
    }
    beside = {"serving": {"chat": serving}, "duration": "1 h"}
    other = {k: v for k, v in TRAINING.items() if k != "num_nodes"} | {"num_nodes": 1}
    with pytest.raises(InfeasibleError, match=r"training\.tune: .* 32 accelerators, .* there are 24"):
        simulate(scenario({}, {}, **{**beside, "training.other": other}), 0)


def test_one_without_prospects_is_infeasible_before_anything_is_simulated() -> None:
    reliability = {**RECOVERY, "node_mtbf": "20 s", "node_mttr": "1 min"}
    with pytest.raises(InfeasibleError, match=r"training\.tune: its nodes fail every 5 s"):
        simulate(scenario({}, {}, reliability=reliability), 0)
