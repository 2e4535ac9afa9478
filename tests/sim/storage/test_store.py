"""A store on the clock: alone as the formula says, shared fairly, with its cache, over a fabric."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcsim.errors import InfeasibleError
from dcsim.formulas.storage import Access, AccessLimits, StoreLimits, transfer_s
from dcsim.metrics.columns import floats
from dcsim.sim.storage.cache_content import Content
from dcsim.spec.storage import CacheWrites
from tests.sim.storage.stores import NUM_NODES, SlowWire, bench, limits

ALL = range(NUM_NODES)


@given(
    st.floats(1e3, 1e13),
    st.integers(1, 100_000),
    st.integers(1, NUM_NODES),
    st.sampled_from([math.inf, 1e8, 1e11]),
    st.sampled_from([math.inf, 500.0]),
)
@settings(max_examples=60)
def test_a_transfer_alone_takes_what_the_formula_says(
    num_bytes: float, num_files: int, num_nodes: int, node_bytes_per_s: float, operations_per_s: float
) -> None:
    access = AccessLimits(1e11, node_bytes_per_s, operations_per_s, 2e3, 0.01, 2**23, 8)
    one = bench(StoreLimits(access, access))
    (end,) = one.finished_at_s(one.store.read(range(num_nodes), num_bytes, num_files=num_files))
    assert end == pytest.approx(transfer_s(access, Access(num_bytes, num_files, num_nodes)))


def test_a_read_and_a_write_share_the_store() -> None:
    one = bench(StoreLimits(AccessLimits(100.0), AccessLimits(50.0)))
    read, write = one.store.read([0], 300.0), one.store.write([1], 300.0)
    assert one.finished_at_s(read, write) == pytest.approx([6.0, 9.0])


def test_a_storm_of_small_files_does_not_slow_a_large_one_that_asks_for_little_else() -> None:
    one = bench(limits(100.0, metadata_per_s=10.0))
    storms = [one.store.read([node], 1.0, num_files=100) for node in range(4)]
    (end,) = one.finished_at_s(one.store.write([5], 1000.0))
    assert end < 11.0
    assert all(storm.processed for storm in storms)


def test_local_stores_do_not_share_and_every_node_moves_its_part() -> None:
    one = bench(limits(10.0, is_local=True))
    both = one.store.write(range(4), 400.0), one.store.write(range(4, 8), 400.0)
    assert one.finished_at_s(*both) == pytest.approx([10.0, 10.0])


@given(st.lists(st.tuples(st.sets(st.integers(0, 5), min_size=1), st.integers(0, 9)), min_size=1, max_size=6))
@settings(max_examples=60)
def test_nodes_simulated_as_one_end_as_nodes_simulated_apart(work: list[tuple[set[int], int]]) -> None:
    """Twin: a shared store of its own for each node; a transfer ends with the slowest of its nodes."""
    one = bench(limits(10.0, is_local=True))
    apart = {node: bench(limits(10.0)) for node in range(6)}
    ends: dict[int, float] = {}
    twin_ends: dict[int, float] = {}

    def begin(number: int, nodes: set[int]) -> None:
        one.store.write(sorted(nodes), 100.0 * len(nodes)).callbacks.append(
            lambda _: ends.__setitem__(number, one.environment.now)
        )

    def begin_apart(number: int, node: int) -> None:
        apart[node].store.write([node], 100.0).callbacks.append(
            lambda _: twin_ends.__setitem__(
                number, max(twin_ends.get(number, 0.0), apart[node].environment.now)
            )
        )

    for number, (nodes, at_s) in enumerate(work):
        one.at(at_s, lambda number=number, nodes=nodes: begin(number, nodes))
        for node in nodes:
            apart[node].at(at_s, lambda number=number, node=node: begin_apart(number, node))
    one.environment.run()
    for bench_of_node in apart.values():
        bench_of_node.environment.run()
    assert ends == pytest.approx(twin_ends)


def test_a_cancelled_transfer_never_ends_and_leaves_its_share_to_others() -> None:
    one = bench(limits(100.0))
    failed, other = one.store.write([0], 1000.0), one.store.write([1], 1000.0)
    one.at(4.0, failed.cancel)
    assert one.finished_at_s(other) == pytest.approx([12.0])
    assert not failed.triggered
    assert math.isnan(floats(one.log.tables()["storage_operations"], "finished_at_s")[0])


def test_a_transfer_over_a_slower_fabric_takes_as_long_as_the_fabric() -> None:
    wire = SlowWire(10.0)
    one = bench(limits(100.0), carrier=wire)
    wire.environment = one.environment
    assert one.finished_at_s(one.store.write([0], 500.0)) == pytest.approx([50.0])
    assert wire.carried == [("disk", 500.0, True)]


def test_local_stores_need_no_fabric() -> None:
    wire = SlowWire(10.0)
    one = bench(limits(100.0, is_local=True), carrier=wire)
    wire.environment = one.environment
    assert one.finished_at_s(one.store.write([0], 500.0)) == pytest.approx([5.0])
    assert wire.carried == []


def test_the_second_epoch_finds_in_the_cache_what_it_holds() -> None:
    one = bench(limits(10.0), cache=limits(1000.0, capacity_bytes=50.0))
    images = Content("images", 100.0)
    assert one.finished_at_s(one.store.read([0], 100.0, content=images)) == pytest.approx([10.0])
    started_at_s = one.environment.now
    assert one.finished_at_s(one.store.read([0], 100.0, content=images)) == pytest.approx(
        [started_at_s + 5.0]
    )


def test_a_write_back_is_done_when_the_cache_has_it_and_durable_when_the_store_has() -> None:
    one = bench(limits(10.0), cache=limits(100.0, capacity_bytes=1e3), writes=CacheWrites.BACK)
    transfer = one.store.write([0], 100.0)
    assert one.finished_at_s(transfer, transfer.durable) == pytest.approx([1.0, 11.0])


def test_a_write_back_that_finds_no_room_goes_through() -> None:
    one = bench(limits(10.0), cache=limits(100.0, capacity_bytes=150.0), writes=CacheWrites.BACK)
    first, second = one.store.write([0], 100.0), one.store.write([1], 100.0)
    ends_s = one.finished_at_s(first, second)
    assert ends_s[0] < 5.0
    assert ends_s[1] >= 10.0  # at the pace of the store
    assert first.durable.triggered


def test_a_cache_that_has_drained_takes_writes_back_again() -> None:
    one = bench(limits(10.0), cache=limits(100.0, capacity_bytes=150.0), writes=CacheWrites.BACK)
    one.environment.run(until=one.store.write([0], 100.0).durable)
    started_at_s = one.environment.now
    assert one.finished_at_s(one.store.write([0], 100.0)) == pytest.approx([started_at_s + 1.0])


def test_a_write_through_is_durable_when_it_is_done() -> None:
    one = bench(limits(10.0), cache=limits(100.0, capacity_bytes=1e3))
    transfer = one.store.write([0], 100.0)
    assert one.finished_at_s(transfer, transfer.durable) == pytest.approx([10.0, 10.0])


def test_a_checkpoint_larger_than_what_is_free_is_refused_with_the_numbers() -> None:
    one = bench(limits(1.0, capacity_bytes=10e12))
    one.store.reserve(6e12)
    with pytest.raises(InfeasibleError, match=r"checkpoint of 5 TB does not fit store disk with 4 TB free"):
        one.store.reserve(5e12)


def test_a_store_can_be_filled_to_the_last_byte_and_emptied_again() -> None:
    one = bench(limits(1.0, capacity_bytes=1e12))
    holdings = [one.store.reserve(1e12 / 3) for _ in range(3)]
    for holding in holdings:
        one.store.release(holding)
    assert one.store.used_bytes == pytest.approx(0.0, abs=1e-3)


def test_a_replaced_node_takes_its_part_of_local_checkpoints_with_it() -> None:
    one = bench(limits(1.0, capacity_bytes=1e12, is_local=True))
    kept, damaged = one.store.reserve(2e12, [0, 1]), one.store.reserve(2e12, [2, 3])
    assert one.store.lose_node(3) == [damaged]
    assert (kept.is_intact, damaged.is_intact) == (True, False)
    assert one.store.used_bytes == pytest.approx(3e12)
    one.store.release(damaged)
    assert one.store.used_bytes == pytest.approx(2e12)
    one.store.reserve(2e12, [2, 3])


def test_a_replaced_node_takes_nothing_from_a_shared_store() -> None:
    one = bench(limits(1.0, capacity_bytes=1e12))
    holding = one.store.reserve(1e12, ALL)
    assert one.store.lose_node(3) == []
    assert holding.is_intact
    assert one.store.used_bytes == 1e12


@given(
    st.lists(
        st.tuples(st.booleans(), st.floats(0.0, 20.0), st.floats(1.0, 500.0), st.integers(1, 50)),
        min_size=1,
        max_size=8,
    )
)
@settings(max_examples=60)
def test_the_load_over_time_holds_exactly_the_bytes_of_the_transfers(
    work: list[tuple[bool, float, float, int]],
) -> None:
    one = bench(limits(40.0, node_bytes_per_s=15.0, metadata_per_s=30.0, latency_s=0.25))
    for is_write, at_s, num_bytes, num_files in work:
        move = one.store.write if is_write else one.store.read
        one.at(at_s, lambda move=move, n=num_bytes, f=num_files: move([0, 1], n, num_files=f))
    one.environment.run()
    one.store.finish()
    load = one.log.tables()["storage_load"]
    for name, is_write in (("read_bytes_per_s", False), ("write_bytes_per_s", True)):
        moved = float((floats(load, name) * floats(load, "duration_s")).sum())
        assert moved == pytest.approx(sum(n for w, _, n, _ in work if w is is_write), rel=1e-6)
    assert floats(load, "bandwidth_frac").max() <= 1.0 + 1e-9
