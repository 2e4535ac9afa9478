"""Data sets that are copied before training and written anew between epochs, on the clock."""

from __future__ import annotations

from pathlib import Path

import pytest

import dcsim
from dcsim.errors import InfeasibleError, ScenarioError
from dcsim.formulas.storage import Access
from dcsim.sim.simulation import simulate
from dcsim.spec.training.dataset_preparation import resolve_preparation
from dcsim.spec.training.deployment import resolve_training
from dcsim.tables import RunTables

BYTES = 100e6 * 10e3  # tokens of the data set, bytes of each: 1 TB
TEXT = """
name: prepared
cluster:
  node: dgx-h100
  num_nodes: 4
  storage:
    objects: {base: {base: s3-standard, read_bandwidth: 40 GB/s, node_read_bandwidth: 10 GB/s, latency: 0 s}}
    pfs: {base: {base: lustre-flash, read_bandwidth: 80 GB/s, write_bandwidth: 20 GB/s, latency: 0 s}}
    drives: {base: {base: nvme-gen4-7.68tb, write_bandwidth: 5 GB/s, latency: 0 s}}
training:
  job:
    model: llama-3.1-8b
    parallelism: {tensor: 8, data: 4}
    batch: {sequences: 128, micro: 1, tokens: 8192}
    dataset_tokens: 1e+8
    epochs: 3
    dataset: {store: pfs, bytes_per_token: 10 kB}
reliability: {initialization: 0 s}
"""


def run(**dataset: object) -> RunTables:
    changed = {f"training.job.dataset.{key}": value for key, value in dataset.items()}
    return simulate(dcsim.load(TEXT, overrides=changed), 0)


def spent_s(tables: RunTables, kind: str) -> list[float]:
    spans = tables.cluster["training_spans"]
    return [float(one) for one in spans["duration_s"][spans["kind"].astype(str) == kind]]


def test_staging_takes_the_bytes_over_the_slower_bandwidth_before_the_first_step() -> None:
    tables, plain = run(staged_from="objects"), run()
    assert spent_s(tables, "staging") == [pytest.approx(BYTES / 20e9, rel=1e-3)]
    assert tables.ended_at_s - plain.ended_at_s == pytest.approx(BYTES / 20e9, rel=1e-3)
    assert tables.cluster["training_spans"]["kind"][0] == "staging"


def test_the_nodes_own_drives_are_filled_side_by_side() -> None:
    """Four drives of 5 GB/s take 20 GB/s; the object store gives its four nodes 40."""
    tables = run(staged_from="objects", store="drives")
    assert spent_s(tables, "staging") == [pytest.approx(BYTES / 4 / 5e9, rel=1e-3)]


def test_two_jobs_that_stage_at_once_share_the_store() -> None:
    other = {
        "model": "llama-3.1-8b",
        "num_nodes": 2,
        "parallelism": {"tensor": 8, "data": 2},
        "batch": {"sequences": 128, "micro": 1, "tokens": 8192},
        "dataset_tokens": 1e8,
        "epochs": 1,
        "dataset": {"store": "pfs", "staged_from": "objects", "bytes_per_token": "10 kB"},
    }
    changed = {
        "training.other": other,
        "training.job.num_nodes": 2,
        "training.job.parallelism.data": 2,
        "training.job.dataset.staged_from": "objects",
    }
    tables = simulate(dcsim.load(TEXT, overrides=changed), 0)
    assert spent_s(tables, "staging") == [pytest.approx(2 * BYTES / 20e9, rel=1e-3)] * 2


def test_a_data_set_is_shuffled_between_epochs_and_not_after_the_last() -> None:
    """Reading and writing share the store: their times add up."""
    tables, plain = run(reshuffle=True), run()
    assert spent_s(tables, "reshuffle") == [pytest.approx(BYTES / 80e9 + BYTES / 20e9, rel=1e-3)] * 2
    assert tables.ended_at_s - plain.ended_at_s == pytest.approx(2 * (BYTES / 80e9 + BYTES / 20e9), rel=1e-3)
    steps = tables.cluster["training_jobs"]["num_steps"]
    assert steps.tolist() == plain.cluster["training_jobs"]["num_steps"].tolist()


def test_shuffles_come_at_the_first_whole_step_of_an_epoch() -> None:
    spans = run(reshuffle=True).cluster["training_spans"]
    assert spans["kind"].tolist() == ["productive", "reshuffle", "productive", "reshuffle", "productive"]
    assert spans["num_steps"].tolist() == [96.0, 0.0, 95.0, 0.0, 96.0]  # 95.4 steps to an epoch


def test_the_spans_of_a_job_follow_one_another_without_gaps_whatever_is_saved() -> None:
    changed = {
        "training.job.dataset.reshuffle": True,
        "training.job.dataset.staged_from": "objects",
        "training.job.checkpoint": {"store": "pfs", "interval": "97 s", "mode": "async"},
    }
    spans = simulate(dcsim.load(TEXT, overrides=changed), 0).cluster["training_spans"]
    order = spans["started_at_s"].argsort()
    started_at_s, duration_s = spans["started_at_s"][order], spans["duration_s"][order]
    assert started_at_s[1:].tolist() == pytest.approx((started_at_s + duration_s)[:-1].tolist())


def test_the_parts_of_the_wall_time_add_up_with_staging_and_shuffles() -> None:
    changed = {"training.job.dataset.reshuffle": True, "training.job.dataset.staged_from": "objects"}
    job = dcsim.run(dcsim.load(TEXT, overrides=changed), num_processes=1).training["job"]
    lost = {name: one.value for name, one in job.lost_s.items()}
    assert lost["staging"] == pytest.approx(50.0, rel=1e-3)
    assert lost["reshuffle"] == pytest.approx(125.0, rel=1e-3)
    assert job.productive_s.value + sum(lost.values()) == pytest.approx(job.wall_s.value)


def test_a_replaced_node_is_given_its_part_again(tmp_path: Path) -> None:
    path = tmp_path / "failures.csv"
    path.write_text("at_s,node\n100.0,0\n", encoding="utf-8")
    cause = {"component": "node", "times": {"policy": "trace", "path": str(path)}}
    changed = {
        "cluster.num_nodes": 5,
        "training.job.num_nodes": 4,
        "training.job.dataset.store": "drives",
        "training.job.dataset.staged_from": "objects",
        "reliability": {
            "preset": {"base": "none", "causes": {"hardware": cause}},
            "spares": 1,
            "initialization": "0 s",
        },
    }
    tables = simulate(dcsim.load(TEXT, overrides=changed), 0)
    whole_s, part_s = spent_s(tables, "staging")
    assert whole_s == pytest.approx(BYTES / 4 / 5e9, rel=1e-3)
    assert part_s == pytest.approx(BYTES / 4 / 5e9, rel=1e-3)  # one node, at the rate of its drive
    labels = tables.cluster["storage_operations"]["label"].astype(str)
    moved = tables.cluster["storage_operations"]["num_bytes"][labels == "staging job"]
    assert sorted(moved.tolist()) == pytest.approx([BYTES / 4, BYTES / 4, BYTES, BYTES])


def test_a_node_that_fails_while_it_is_filled_leaves_its_part_to_the_one_that_replaces_it(
    tmp_path: Path,
) -> None:
    """The copy goes on without the job; then the new node is given its part."""
    path = tmp_path / "failures.csv"
    path.write_text("at_s,node\n20.0,0\n", encoding="utf-8")
    cause = {"component": "node", "times": {"policy": "trace", "path": str(path)}}
    none = dict.fromkeys(("detection", "diagnosis", "swap", "initialization"), "0 s")
    changed = {
        "cluster.num_nodes": 5,
        "training.job.num_nodes": 4,
        "training.job.dataset.store": "drives",
        "training.job.dataset.staged_from": "objects",
        "reliability": {"preset": {"base": "none", "causes": {"hardware": cause}}, "spares": 1, **none},
    }
    tables = simulate(dcsim.load(TEXT, overrides=changed), 0)
    assert spent_s(tables, "staging") == pytest.approx([20.0, 30.0, 50.0], rel=1e-3)


def test_trials_of_a_sweep_share_one_copy() -> None:
    changed = {
        "training.job.dataset.staged_from": "objects",
        "training.job.kind": "sweep",
        "training.job.sweep": {"trials": 2, "concurrent": 2},
        "training.job.num_nodes": 2,
        "training.job.parallelism.data": 2,
    }
    tables = simulate(dcsim.load(TEXT, overrides=changed), 0)
    assert spent_s(tables, "staging") == [pytest.approx(50.0, rel=1e-3)] * 2
    operations = tables.cluster["storage_operations"]
    is_copy = operations["label"].astype(str) == "staging job"
    assert operations["num_bytes"][is_copy].tolist() == [BYTES, BYTES]  # read and written once


def test_a_data_set_larger_than_where_it_is_staged_to_is_infeasible() -> None:
    scenario = dcsim.load(
        TEXT,
        overrides={"training.job.dataset.staged_from": "objects", "cluster.storage.pfs.capacity": "900 GB"},
    )
    with pytest.raises(InfeasibleError, match=r"data set is 1 TB, more than the 0\.9 TB of store 'pfs'"):
        simulate(scenario, 0)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"staged_from": "object"}, "no store of that name"),
        ({"staged_from": "pfs"}, "is the store that it is copied to"),
        ({"staged_from": "drives"}, "lies on the nodes' own drives"),
        ({"staged_from": "objects", "store": None}, "needs the store that it is copied to"),
        ({"reshuffle": True, "store": None}, "needs the store that it is written to"),
    ],
)
def test_a_copy_from_or_to_nowhere_is_refused(changed: dict[str, object], message: str) -> None:
    overrides = {f"training.job.dataset.{key}": value for key, value in changed.items()}
    with pytest.raises(ScenarioError, match=message):
        dcsim.load(TEXT, overrides=overrides)


def test_a_copy_needs_the_size_of_the_data_set() -> None:
    text = TEXT.replace("    dataset_tokens: 1e+8\n    epochs: 3\n", "    steps: 10\n")
    with pytest.raises(ScenarioError, match="needs the size of the data set"):
        dcsim.load(text, overrides={"training.job.dataset.staged_from": "objects"})


def test_the_plan_knows_the_times_alone() -> None:
    overrides = {"training.job.dataset.staged_from": "objects", "training.job.dataset.reshuffle": True}
    scenario = dcsim.load(TEXT, overrides=overrides)
    plan = resolve_preparation(scenario, resolve_training(scenario, "job"))
    assert plan is not None
    assert plan.access == Access(BYTES, 4, 4)
    assert plan.num_shuffles == 2
    assert plan.total_s == pytest.approx(50.0 + 2 * 62.5, rel=1e-3)
