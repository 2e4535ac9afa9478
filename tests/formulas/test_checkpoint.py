"""Checkpoints: sizes, stalls and what a failure costs, averaged over when it strikes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcsim.formulas.checkpoint import (
    SavedBytes,
    asynchronous_stall_s,
    incremental_bytes,
    incremental_restore_bytes,
    lost_s,
    num_checkpoint_bytes,
    num_kept_bytes,
    num_restored_bytes,
    synchronous_stall_s,
)


def test_weights_in_32_bits_need_no_master_copy() -> None:
    assert SavedBytes(4.0, 0.0, 8.0).total == 12.0
    assert SavedBytes().total == 14.0


def test_adapters_are_saved_without_the_base_model() -> None:
    adapters, base = 40e6, 8e9
    assert num_checkpoint_bytes(adapters, SavedBytes()) == pytest.approx(0.56e9)
    assert num_checkpoint_bytes(adapters, SavedBytes()) < 0.01 * num_checkpoint_bytes(base, SavedBytes())


def test_a_stall_waits_for_the_drain_before_only_where_that_takes_longer_than_the_interval() -> None:
    assert asynchronous_stall_s(2.0, 1.0, drain_s=500.0, interval_s=600.0) == 3.0
    assert asynchronous_stall_s(2.0, 1.0, drain_s=700.0, interval_s=600.0) == 103.0


@given(st.floats(0.0, 10.0), st.floats(0.0, 5.0), st.floats(0.0, 1000.0), st.floats(1.0, 1000.0))
def test_an_asynchronous_checkpoint_with_fast_copies_never_stalls_longer_than_a_synchronous_one(
    copy_s: float, barrier_s: float, write_s: float, interval_s: float
) -> None:
    asynchronous = asynchronous_stall_s(copy_s, barrier_s, write_s, interval_s)
    assert asynchronous <= synchronous_stall_s(write_s, barrier_s) + copy_s


@pytest.mark.parametrize("drain_s", [0.0, 40.0, 600.0, 900.0])
def test_the_mean_loss_is_half_an_interval_and_the_drain(drain_s: float) -> None:
    interval_s = 600.0
    moments_s = np.linspace(6000.0, 12000.0, 60_000, endpoint=False)
    losses = [lost_s(worked_s, interval_s, drain_s) for worked_s in moments_s.tolist()]
    assert np.mean(losses) == pytest.approx(interval_s / 2 + drain_s, rel=1e-3)
    assert max(losses) < interval_s + drain_s


def test_a_failure_before_the_drain_ends_falls_back_one_interval_more() -> None:
    assert lost_s(1200.0 + 39.0, 600.0, 40.0) == 639.0
    assert lost_s(1200.0 + 41.0, 600.0, 40.0) == 41.0


def test_without_a_safe_checkpoint_everything_is_lost() -> None:
    assert lost_s(500.0, 600.0, 0.0) == 500.0
    assert lost_s(610.0, 600.0, 40.0) == 610.0


@given(st.floats(0.0, 1.0), st.integers(1, 50))
def test_increments_lie_between_a_whole_checkpoint_and_their_share_of_it(changed: float, every: int) -> None:
    chain = [1.0] + [changed] * (every - 1)
    assert incremental_bytes(1.0, changed, every) == pytest.approx(sum(chain) / every)
    reads = [sum(chain[: end + 1]) for end in range(every)]
    assert incremental_restore_bytes(1.0, changed, every) == pytest.approx(sum(reads) / every)


@pytest.mark.parametrize("num_kept", [1, 2, 5])
@pytest.mark.parametrize("every", [1, 3, 4])
def test_kept_chains_never_take_more_than_said(num_kept: int, every: int) -> None:
    """Write one after another; drop a chain once none of the kept checkpoints needs it."""
    changed, stored, most = 0.25, [], 0.0
    for number in range(40):
        stored.append((number // every, 1.0 if number % every == 0 else changed))
        most = max(most, sum(size for _, size in stored))
        first_needed = max(0, number + 1 - num_kept) // every
        stored = [one for one in stored if one[0] >= first_needed]
    assert most <= num_kept_bytes(1.0, num_kept, changed, every) + 1e-9
    if every == 1:
        assert most == num_kept_bytes(1.0, num_kept, changed, every) == num_kept + 1


def test_every_replica_reads_the_weights_and_the_optimizer_is_read_once() -> None:
    assert num_restored_bytes(2e12, 12e12, 8) == 28e12
