"""No accelerator is held twice, whatever comes and goes: the pool against a brute-force twin."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcsim.errors import SimulationError
from dcsim.plugins import policy_class, policy_names
from dcsim.policies.placement import Placement
from dcsim.policies.request import SHARES_PER_ACCELERATOR, Request
from dcsim.sim.jobs.pool import Allocation, NodePool
from tests.sim.jobs.small import pool_of

PLACEMENTS = "dcsim.policies.placements"
SIZES = (4, 4, 2, 8)


def placement_named(name: str, **options: object) -> Placement:
    found = policy_class(PLACEMENTS, name).model_validate(options)
    assert isinstance(found, Placement)
    return found


def shares_held(allocations: list[Allocation]) -> dict[tuple[int, int], int]:
    held: dict[tuple[int, int], int] = {}
    for allocation in allocations:
        for part in allocation.parts:
            for accelerator in part.accelerators:
                place = (part.node, accelerator)
                held[place] = held.get(place, 0) + part.num_shares
    return held


def fits_by_hand(pool: NodePool, size: float) -> bool:
    """Whether a request has room, by looking at every accelerator of every open node."""
    rows = [row for node, row in enumerate(pool.nodes.free_shares) if pool.is_open(node)]
    whole = sorted((row.count(SHARES_PER_ACCELERATOR) for row in rows), reverse=True)
    if size < 1:
        return any(free >= size * SHARES_PER_ACCELERATOR for row in rows for free in row)
    num_full, rest = divmod(int(size), max(SIZES))
    if int(size) <= max(SIZES):
        return bool(whole) and whole[0] >= size
    full = [number for number in whole if number >= max(SIZES)]
    left = sorted(whole[num_full:], reverse=True)
    return len(full) >= num_full and (not rest or (bool(left) and left[0] >= rest))


steps = st.lists(
    st.tuples(
        st.sampled_from(["take", "take", "take", "give", "fail", "repair"]),
        st.sampled_from([0.25, 0.5, 1.0, 2.0, 3.0, 4.0, 8.0, 10.0]),
        st.integers(0, 100),
    ),
    max_size=60,
)


@pytest.mark.parametrize("name", policy_names(PLACEMENTS))
@settings(max_examples=25, deadline=None)
@given(steps=steps)
def test_no_accelerator_is_held_twice_and_room_is_found_where_there_is_room(name, steps):
    pool, held, down = pool_of(SIZES, placement_named(name)), [], []
    for what, size, which in steps:
        if what == "take":
            has_room = fits_by_hand(pool, size)
            taken = pool.allocate(Request(size))
            assert (taken is not None) == has_room
            held += [taken] if taken else []
        elif what == "give" and held:
            pool.release(held.pop(which % len(held)))
        elif what == "fail":
            node = which % len(SIZES)
            pool.fail(node)
            down.append(node)
            held = [one for one in held if node not in one.nodes]
        elif what == "repair" and down:
            pool.repair(down.pop(which % len(down)))
        used = shares_held(held)
        assert all(shares <= SHARES_PER_ACCELERATOR for shares in used.values())
        for node, row in enumerate(pool.nodes.free_shares):
            assert row == [SHARES_PER_ACCELERATOR - used.get((node, i), 0) for i in range(len(row))]
        is_open = [node not in down for node in range(len(SIZES))]
        free = sum(sum(row) for node, row in enumerate(pool.nodes.free_shares) if is_open[node])
        assert pool.num_free == free / SHARES_PER_ACCELERATOR


def test_a_gang_gets_full_nodes_and_the_rest_or_nothing():
    pool = pool_of([8, 8, 8])
    gang = pool.allocate(Request(20))
    assert gang is not None
    assert sorted(len(part.accelerators) for part in gang.parts) == [4, 8, 8]
    assert pool.allocate(Request(5)) is None
    assert pool.num_free == 4


def test_a_split_job_spreads_where_no_node_has_room():
    pool = pool_of([4, 4], placement_named("pack", split=True))
    pool.allocate(Request(2))
    pool.allocate(Request(3))
    wide = pool.allocate(Request(3))
    assert wide is not None
    assert sorted(len(part.accelerators) for part in wide.parts) == [1, 2]


def test_a_node_that_two_have_closed_opens_when_both_open_it():
    pool = pool_of([4])
    pool.close(0)
    pool.fail(0)
    pool.repair(0)
    assert pool.allocate(Request(1)) is None
    pool.open(0)
    assert pool.allocate(Request(1)) is not None


def test_who_loses_a_node_is_told_and_keeps_nothing():
    pool, lost = pool_of([2, 2]), []
    allocation = pool.allocate(Request(4), on_lost=lost.append)
    assert allocation is not None
    pool.fail(1)
    assert lost == [1]
    assert pool.num_free == 2
    with pytest.raises(SimulationError, match="not held"):
        pool.release(allocation)


def test_accelerators_of_closed_nodes_are_away_and_their_eviction_counts_who_loses_them():
    pool = pool_of([4, 4, 4])
    pool.allocate(Request(3))
    pool.close(0)
    pool.close(1)
    assert [pool.evict(node, is_orderly=True) for node in (0, 1)] == [1, 0]
    assert (pool.num_free, pool.num_away) == (4, 8)
    pool.open(0)
    assert (pool.num_free, pool.num_away) == (8, 4)


def test_opening_a_node_that_is_open_is_an_error():
    with pytest.raises(SimulationError, match="not closed"):
        pool_of([4]).open(0)
