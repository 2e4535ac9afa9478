"""Samples of a training job cross the fabric: bytes are conserved, full links stall, ample ones do not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dcsim
from dcsim.sim.simulation import simulate
from dcsim.spec.training.deployment import resolve_training
from dcsim.study.training_estimate import estimate_training
from dcsim.tables import RunTables

TEXT = """
name: data-flows
cluster:
  node: dgx-h100
  num_nodes: 5
  storage:
    pfs: {base: {base: lustre-flash, read_bandwidth: 1 TB/s, write_bandwidth: 1 TB/s}}
  fabric:
    topology:
      policy: edge_list
      attachments: [edge]
      cables:
        - {from: node0, to: core, bandwidth: 400 GB/s}
        - {from: node1, to: core, bandwidth: 400 GB/s}
        - {from: node2, to: core, bandwidth: 400 GB/s}
        - {from: node3, to: core, bandwidth: 400 GB/s}
        - {from: node4, to: core, bandwidth: 400 GB/s}
        - {from: core, to: edge, bandwidth: 40 GB/s}
training:
  job:
    model: llama-3.1-8b
    num_nodes: 4
    parallelism: {tensor: 8, data: 4}
    batch: {sequences: 128, micro: 1, tokens: 8192}
    steps: 20
    dataset: {store: pfs, bytes_per_token: 10 kB}
reliability: {initialization: 0 s}
"""
BYTES_PER_STEP = 128 * 8192 * 10e3
NARROW = "cluster.fabric.topology.cables.5.bandwidth"


def run(overrides: dict[str, object] | None = None) -> RunTables:
    return simulate(dcsim.load(TEXT, overrides=overrides or {}), 0)


def crossed_bytes(tables: RunTables, source: str = "core", destination: str = "edge") -> float:
    """Bytes on a link, as counted by the fabric."""
    links = tables.cluster["links"]
    is_it = (links["source"].astype(str) == source) & (links["destination"].astype(str) == destination)
    assert is_it.sum() == 1
    return float(links["num_bytes"][is_it].sum())


def undisturbed_s() -> float:
    return resolve_training(dcsim.load(TEXT), "job").step().total_s


def test_with_ample_links_nothing_changes_and_every_byte_crosses_once() -> None:
    tables = run()
    spans = tables.cluster["training_spans"]
    assert tables.ended_at_s == pytest.approx(20 * undisturbed_s())
    assert float(spans["input_s"].sum()) == 0.0
    assert crossed_bytes(tables, "edge", "core") == pytest.approx(20 * BYTES_PER_STEP)
    assert crossed_bytes(tables, "core", "edge") == 0.0


@pytest.mark.parametrize("rate", [2e9, 0.5e9])
def test_a_narrow_way_slows_each_step_to_its_bytes_over_the_rate(rate: float) -> None:
    tables = run({NARROW: f"{rate:.0f} B/s"})
    step_s = BYTES_PER_STEP / rate
    assert step_s > undisturbed_s()
    assert tables.ended_at_s == pytest.approx(20 * step_s)
    spans = tables.cluster["training_spans"]
    assert float(spans["input_s"].sum()) == pytest.approx(20 * (step_s - undisturbed_s()))
    assert crossed_bytes(tables, "edge", "core") == pytest.approx(20 * BYTES_PER_STEP)


@pytest.mark.parametrize("rate", [400e9, 2e9, 0.5e9])
def test_a_job_that_waits_for_samples_sends_the_bytes_of_its_collectives_and_no_more(rate: float) -> None:
    deployment = resolve_training(dcsim.load(TEXT), "job")
    tables = run({NARROW: f"{rate:.0f} B/s"})
    sent = sum(crossed_bytes(tables, f"node {node}", "core") for node in range(4))
    assert sent == pytest.approx(20 * 4 * deployment.scale_out_bytes_per_node, rel=0.05)


@pytest.mark.parametrize("rate", [400e9, 2e9, 0.5e9])
def test_the_estimate_knows_the_links_that_samples_cross(rate: float) -> None:
    scenario = dcsim.load(TEXT, overrides={NARROW: f"{rate:.0f} B/s"})
    found = estimate_training(scenario)["job"]
    assert found.step_s == pytest.approx(simulate(scenario, 0).ended_at_s / 20)


def test_two_jobs_share_a_narrow_way_evenly() -> None:
    """Both get half of 1 GB/s until the shorter one ends, then the longer one has it alone."""
    two = {
        NARROW: "1 GB/s",
        "training.job.num_nodes": 2,
        "training.job.parallelism.data": 2,
        "training.other": {
            "model": "llama-3.1-8b",
            "num_nodes": 2,
            "parallelism": {"tensor": 8, "data": 2},
            "batch": {"sequences": 128, "micro": 1, "tokens": 8192},
            "steps": 10,
            "dataset": {"store": "pfs", "bytes_per_token": "10 kB"},
        },
    }
    tables = run(two)
    jobs = tables.cluster["training_jobs"]
    ended_at_s = dict(zip(jobs["job"].astype(str), jobs["finished_at_s"], strict=True))
    assert ended_at_s["other"] == pytest.approx(10 * BYTES_PER_STEP / 0.5e9)
    assert ended_at_s["job"] == pytest.approx(30 * BYTES_PER_STEP / 1e9)


def test_a_job_waits_for_its_samples_while_there_is_no_way_to_the_store() -> None:
    outage = {"cable": ["core", "edge"], "at": "20 s", "duration": "10 min"}
    cut, whole = run({"cluster.fabric.outages": [outage]}), run()
    assert cut.ended_at_s - whole.ended_at_s == pytest.approx(600.0)
    assert float(cut.cluster["training_spans"]["input_s"].sum()) == pytest.approx(600.0)
    assert crossed_bytes(cut, "edge", "core") == pytest.approx(20 * BYTES_PER_STEP)


def test_nothing_is_read_while_a_checkpoint_holds_the_steps_up() -> None:
    """One save of 20 in the middle: as many bytes as steps take up, whatever the stall."""
    saved = {"training.job.checkpoint": {"store": "pfs", "interval": "30 s", "barrier": "60 s"}}
    tables = run(saved)
    assert float(tables.cluster["training_spans"]["checkpoint_s"].sum()) >= 60.0
    assert crossed_bytes(tables, "edge", "core") == pytest.approx(20 * BYTES_PER_STEP)


def test_samples_give_way_to_what_else_is_on_their_way() -> None:
    """Backups take links away while they last: bytes are conserved all the same."""
    backed = {
        NARROW: "2.5 GB/s",
        "cluster.storage.pfs.backup": {"store": "copy", "every": "60 s", "changed": "2 %"},
        "cluster.storage.copy": {"base": "lustre-flash"},
        "training.job.checkpoint": {"store": "pfs", "interval": "40 s", "barrier": "0 s"},
    }
    tables = run(backed)
    transfers = tables.cluster["transfers"]
    others = transfers["label"].astype(str) == "backup"
    assert others.any()
    to_nodes = float(transfers["num_bytes"][others].sum()) / 2  # half of a copy is read
    done = np.isfinite(transfers["finished_at_s"][others]).all()
    crossed = crossed_bytes(tables, "edge", "core")
    assert done
    assert crossed == pytest.approx(20 * BYTES_PER_STEP + to_nodes, rel=1e-3)


@given(
    rate=st.floats(0.5e9, 20e9),
    outages=st.lists(st.tuples(st.floats(1.0, 200.0), st.floats(0.1, 100.0)), max_size=3),
    interval_s=st.sampled_from([None, 15.0, 40.0]),
    maintenance_s=st.sampled_from([None, 60.0]),
)
@settings(max_examples=20, deadline=None)
def test_as_many_bytes_cross_as_steps_use_whatever_comes_in_between(
    rate: float,
    outages: list[tuple[float, float]],
    interval_s: float | None,
    maintenance_s: float | None,
) -> None:
    """Cut steps in parts, steps that are done again, and stalls included. Checkpoints cross the other way."""
    changed: dict[str, object] = {NARROW: f"{rate} B/s"}
    changed["cluster.fabric.outages"] = [
        {"cable": ["core", "edge"], "at": f"{at_s} s", "duration": f"{duration_s} s"}
        for at_s, duration_s in outages
    ]
    if interval_s is not None:
        saved = {"store": "pfs", "interval": f"{interval_s} s", "mode": "async", "barrier": "1 s"}
        changed["training.job.checkpoint"] = saved
    if maintenance_s is not None:
        window = {"every": "1000 h", "first": f"{maintenance_s} s", "duration": "50 s", "nodes": "100 %"}
        changed["reliability"] = {"initialization": "5 s", "maintenance": [window]}
    tables = run(changed)
    spans, operations = tables.cluster["training_spans"], tables.cluster["storage_operations"]
    is_restore = operations["label"].astype(str) == "restore job"
    restored = float(operations["num_bytes"][is_restore].sum())
    used = float(spans["num_steps"].sum()) * BYTES_PER_STEP
    assert crossed_bytes(tables, "edge", "core") == pytest.approx(used + restored, rel=1e-6)
