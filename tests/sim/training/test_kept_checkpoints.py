"""Checkpoints in a store: it fills as they are written, up to those that are kept and the one on its way."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcsim.formulas.checkpoint import num_kept_bytes
from dcsim.sim.simulation import simulate
from dcsim.sim.training.kept_checkpoints import KeptCheckpoints
from dcsim.spec.training.checkpoint import CheckpointPlan
from dcsim.spec.training.job import CheckpointMode
from tests.sim.storage.stores import bench, limits
from tests.study.scenarios_for_tests import small_cluster

SIZE = 100.0


def kept(num_kept: int, full_every: int = 1, changed_frac: float = 0.25, is_local: bool = False):
    one = bench(limits(10.0, capacity_bytes=1e6, is_local=is_local))
    plan = CheckpointPlan(
        *("disk", CheckpointMode.SYNCHRONOUS, SIZE, SIZE),
        num_kept=num_kept,
        full_every=full_every,
        num_whole_bytes=SIZE,
        num_increment_bytes=SIZE * changed_frac,
        num_files=1,
        barrier_s=0.0,
        copy_s=0.0,
        write_s=10.0,
        restore_s=10.0,
        steps_per_save=1,
    )
    return one.store, KeptCheckpoints(one.store, plan)


def test_a_store_fills_until_it_holds_those_that_are_kept() -> None:
    store, checkpoints = kept(2)
    while_writing, after = [], []
    for _ in range(4):
        one = checkpoints.begin([0])
        while_writing.append(store.used_bytes)
        checkpoints.end(one)
        after.append(store.used_bytes)
    assert while_writing == [100.0, 200.0, 300.0, 300.0]
    assert after == [100.0, 200.0, 200.0, 200.0]


def test_a_checkpoint_that_a_failure_cut_off_is_dropped_when_the_next_is_begun() -> None:
    store, checkpoints = kept(1)
    checkpoints.end(checkpoints.begin([0]))
    cut = checkpoints.begin([0])
    again = checkpoints.begin([0])
    assert store.used_bytes == 200.0
    checkpoints.end(cut)  # its write goes on, to no use
    assert store.used_bytes == 200.0
    checkpoints.end(again)
    assert store.used_bytes == 100.0


def test_what_was_on_a_lost_node_takes_no_room_any_more() -> None:
    store, checkpoints = kept(2, is_local=True)
    checkpoints.end(checkpoints.begin([0, 1]))
    store.lose_node(1)
    checkpoints.end(checkpoints.begin([0, 2]))
    assert store.used_bytes == 100.0


@given(st.integers(1, 6), st.integers(1, 6), st.floats(0.0, 1.0), st.integers(1, 30))
def test_increments_keep_what_they_need_and_no_more_than_the_bound(
    num_kept: int, full_every: int, changed_frac: float, num_saves: int
) -> None:
    """Against the saves written down one by one: every full_every-th is whole."""
    store, checkpoints = kept(num_kept, full_every, changed_frac)
    sizes = [SIZE if i % full_every == 0 else SIZE * changed_frac for i in range(num_saves)]
    for i in range(num_saves):
        one = checkpoints.begin([0])
        assert store.used_bytes <= num_kept_bytes(SIZE, num_kept, changed_frac, full_every) * (1 + 1e-9)
        checkpoints.end(one)
        oldest = max(i + 1 - num_kept, 0)
        first_needed = oldest - oldest % full_every
        assert store.used_bytes == pytest.approx(sum(sizes[first_needed : i + 1]), abs=1e-6)


def test_a_run_tells_what_was_really_stored() -> None:
    saved = {"training.pretrain.checkpoint.keep": 3, "reliability": None, "jobs": None}
    tables = simulate(small_cluster(**saved), 0).cluster
    load, operations = tables["storage_load"], tables["storage_operations"]
    size = operations["num_bytes"][0]
    held = load["used_bytes"][load["store"] == "fast"] / size
    counts = np.unique(np.round(held, 6))
    assert counts.tolist() == [float(i) for i in range(1, len(counts) + 1)]
    assert len(counts) == min(len(operations["num_bytes"]), 4)
