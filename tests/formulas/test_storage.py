"""Storage equations: bottlenecks, and caches against a simulation of every item."""

import math
from collections import OrderedDict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcsim.formulas.dataset_reads import (
    lru_shuffled_hit_frac,
    pinned_hit_frac,
    reshuffle_s,
)
from dcsim.formulas.storage import (
    Access,
    AccessLimits,
    StoreLimits,
    num_fed_clients,
    num_operations,
    staging_s,
    steady_bytes_per_s,
    transfer_s,
)

NUM_ITEMS = 2_000
LIMITS = AccessLimits(
    bytes_per_s=100e9, node_bytes_per_s=10e9, operations_per_s=1e5, metadata_per_s=1e4, latency_s=1e-3
)


def test_few_nodes_are_bound_by_their_own_clients_and_many_by_the_store() -> None:
    assert transfer_s(LIMITS, Access(1e12, num_nodes=2)) == pytest.approx(1e-3 + 50.0)
    assert transfer_s(LIMITS, Access(1e12, num_nodes=100)) == pytest.approx(1e-3 + 10.0)


def test_many_small_files_are_bound_by_metadata() -> None:
    assert transfer_s(LIMITS, Access(1e9, 1_000_000, 64)) == pytest.approx(1e-3 + 100.0)


def test_small_files_from_one_node_wait_for_latency_in_waves() -> None:
    slow = AccessLimits(bytes_per_s=100e9, latency_s=0.1, requests_in_flight=10)
    assert transfer_s(slow, Access(1e6, 1000)) == pytest.approx(0.1 * 100)  # 100 waves of 10


def test_large_objects_are_read_in_requests() -> None:
    limits = AccessLimits(bytes_per_s=math.inf, operations_per_s=5500.0, request_bytes=2**23)
    assert num_operations(limits, Access(2**40)) == 2**17
    assert transfer_s(limits, Access(2**40)) == pytest.approx(2**17 / 5500)


@given(st.floats(1e3, 1e15), st.integers(1, 10**6), st.integers(1, 4096))
def test_more_bytes_or_files_never_take_less_time_and_more_nodes_never_more(
    num_bytes: float, num_files: int, num_nodes: int
) -> None:
    base = transfer_s(LIMITS, Access(num_bytes, num_files, num_nodes))
    assert transfer_s(LIMITS, Access(num_bytes * 2, num_files, num_nodes)) >= base
    assert transfer_s(LIMITS, Access(num_bytes, num_files * 2, num_nodes)) >= base
    assert transfer_s(LIMITS, Access(num_bytes, num_files, num_nodes + 1)) <= base


def lru_hit_frac(num_cached: int, num_epochs: int) -> float:
    """Share of reads found by a least-recently-used cache, epoch after epoch in random orders."""
    rng = np.random.default_rng(7)
    cache: OrderedDict[int, None] = OrderedDict()
    hits = 0
    for epoch in range(num_epochs + 1):
        for item in rng.permutation(NUM_ITEMS).tolist():
            if item in cache:
                hits += epoch > 0
                cache.move_to_end(item)
            else:
                cache[item] = None
                if len(cache) > num_cached:
                    cache.popitem(last=False)
    return hits / (num_epochs * NUM_ITEMS)


@pytest.mark.parametrize("cached_frac", [0.25, 0.5, 0.75, 0.95])
def test_a_least_recently_used_cache_finds_what_the_formula_says(cached_frac: float) -> None:
    num_epochs = 20
    measured = lru_hit_frac(int(cached_frac * NUM_ITEMS), num_epochs)
    expected = lru_shuffled_hit_frac(cached_frac, 1.0)
    assert abs(measured - expected) < 4.0 * math.sqrt(expected / (num_epochs * NUM_ITEMS))


@given(st.floats(0.01, 2.0))
def test_keeping_beats_least_recently_used_and_both_find_all_that_fits(cached: float) -> None:
    assert 0.0 <= lru_shuffled_hit_frac(cached, 1.0) <= pinned_hit_frac(cached, 1.0) <= 1.0
    assert lru_shuffled_hit_frac(1.0, 1.0) == pinned_hit_frac(1.0, 1.0) == 1.0


def both_ways(limits: AccessLimits, *, is_local: bool = False) -> StoreLimits:
    return StoreLimits(limits, limits, is_local=is_local)


def test_staging_goes_at_the_pace_of_the_slower_store() -> None:
    fast, slow = both_ways(AccessLimits(90e9, latency_s=0.5)), both_ways(AccessLimits(10e9))
    assert staging_s(fast, slow, Access(100e9)) == staging_s(slow, fast, Access(100e9)) == 10.0


def test_staging_to_the_nodes_own_drives_writes_a_part_to_each() -> None:
    drives, source = both_ways(AccessLimits(5e9), is_local=True), both_ways(AccessLimits(90e9))
    assert staging_s(source, drives, Access(100e9, num_nodes=4)) == pytest.approx(5.0)


def test_a_store_feeds_as_many_clients_as_its_scarcest_resource_allows() -> None:
    assert num_fed_clients(LIMITS, bytes_per_client_s=1e9, files_per_client_s=0.0) == 100
    assert num_fed_clients(LIMITS, bytes_per_client_s=1e9, files_per_client_s=1000.0) == 10


@given(st.floats(1e3, 1e9), st.integers(1, 64))
def test_a_long_transfer_reaches_the_steady_rate_of_its_files(bytes_per_file: float, num_nodes: int) -> None:
    limits = AccessLimits(100e9, 10e9, 1e5, 1e4, 1e-3, requests_in_flight=16)
    num_files = 10_000_000
    access = Access(bytes_per_file * num_files, num_files, num_nodes)
    mean_rate = access.num_bytes / transfer_s(limits, access)
    assert steady_bytes_per_s(limits, num_nodes, bytes_per_file) == pytest.approx(mean_rate, rel=1e-3)


def test_shuffling_on_the_same_store_reads_and_writes_in_turn() -> None:
    store = StoreLimits(AccessLimits(100e9), AccessLimits(50e9))
    assert reshuffle_s(store, Access(1e12)) == pytest.approx(30.0)


def test_shuffling_that_the_nodes_limit_reads_and_writes_at_once() -> None:
    limits = AccessLimits(100e9, node_bytes_per_s=1e9)
    assert reshuffle_s(both_ways(limits), Access(10e9, num_nodes=2)) == pytest.approx(5.0)
