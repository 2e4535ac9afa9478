"""Collectives on a torus: against link loads counted one by one and against a published example."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcsim.formulas.deployment import Wire
from dcsim.formulas.network.group_collectives import collective_time
from dcsim.formulas.network.group_network import Collective, GroupNetwork

LINK = Wire(bytes_per_s=45e9, achievable_frac=1.0, base_s=0.0, hop_s=0.0)
DATA_CENTRE = Wire(bytes_per_s=6.25e9, achievable_frac=1.0, base_s=0.0, hop_s=0.0)
AXES = st.lists(st.integers(2, 6), min_size=1, max_size=3).map(tuple)


def torus(*axes: int) -> GroupNetwork:
    return GroupNetwork(LINK, DATA_CENTRE, math.prod(axes), torus_axes=axes)


def without_wraparound(network: GroupNetwork) -> GroupNetwork:
    """The same torus cut open: a mesh."""
    return replace(network, torus_wraps=(False,) * len(network.torus_axes))


def time_s(kind: Collective, network: GroupNetwork, num_bytes: float, num_slices: int = 1) -> float:
    num_chips = math.prod(network.torus_axes)
    return float(collective_time(kind, network, num_slices * num_chips, num_chips, num_bytes))


def worst_link_bytes(axes: tuple[int, ...], is_ring: bool) -> float:
    """Bytes over the busiest link when each chip sends 1 byte in all, axis by axis, the shorter way."""
    loads: defaultdict[tuple[int, tuple[int, ...], int], float] = defaultdict(float)
    chips = list(itertools.product(*map(range, axes)))
    for source, target in itertools.product(chips, chips):
        at = list(source)
        for axis, size in enumerate(axes):
            ahead = (target[axis] - at[axis]) % size
            routes = [(1, ahead), (-1, size - ahead)] if is_ring and size > 2 else []
            if not routes:
                routes = [(1 if target[axis] > at[axis] else -1, abs(target[axis] - at[axis]))]
            shortest = min(hops for _, hops in routes)
            ways = [way for way, hops in routes if hops == shortest]
            for way in ways:  # opposite chips are reached both ways, half each
                place = at[axis]
                for _ in range(shortest):
                    here = (*at[:axis], place, *at[axis + 1 :])
                    loads[axis, here, way] += 1 / len(ways) / len(chips)
                    place = (place + way) % size
            at[axis] = target[axis]
    return max(loads.values())


@pytest.mark.parametrize("axes", [(2,), (4,), (5,), (8,), (4, 4), (2, 6), (3, 4, 2)])
@pytest.mark.parametrize("is_ring", [True, False])
def test_an_all_to_all_takes_what_its_busiest_link_carries(axes: tuple[int, ...], is_ring: bool) -> None:
    network = torus(*axes) if is_ring else without_wraparound(torus(*axes))
    expected = 1e9 * worst_link_bytes(axes, is_ring) / 45e9
    assert time_s(Collective.ALL_TO_ALL, network, 1e9) == pytest.approx(expected, rel=1e-9)


def test_a_gather_over_one_ring_takes_its_bytes_over_both_directions() -> None:
    """jax-ml, "How To Scale Your Model", chapter 3: T = V / W, W both ways of an axis, for large rings."""
    assert time_s(Collective.ALL_GATHER, torus(16), 90e9) == pytest.approx(15 / 16, rel=1e-9)


@given(AXES, st.floats(1.0, 1e12))
def test_an_all_reduce_is_a_scatter_and_a_gather(axes: tuple[int, ...], num_bytes: float) -> None:
    both = time_s(Collective.REDUCE_SCATTER, torus(*axes), num_bytes)
    both += time_s(Collective.ALL_GATHER, torus(*axes), num_bytes)
    assert time_s(Collective.ALL_REDUCE, torus(*axes), num_bytes) == pytest.approx(both)


@given(st.integers(3, 16), st.integers(2, 3), st.sampled_from([Collective.ALL_GATHER, Collective.ALL_REDUCE]))
def test_more_axes_add_their_links(size: int, num_axes: int, kind: Collective) -> None:
    moved = (size**num_axes - 1) / size**num_axes / ((size - 1) / size)
    one = time_s(kind, torus(size), 1e9)
    assert time_s(kind, torus(*[size] * num_axes), 1e9) == pytest.approx(one * moved / num_axes)


@given(st.integers(3, 16), st.sampled_from([Collective.ALL_GATHER, Collective.ALL_TO_ALL]))
def test_a_line_has_half_the_bandwidth_of_a_ring(size: int, kind: Collective) -> None:
    ring = torus(size)
    assert time_s(kind, without_wraparound(ring), 1e9) == pytest.approx(2 * time_s(kind, ring, 1e9))


def test_hops_count_half_way_round_a_ring_and_the_whole_of_a_line() -> None:
    slow = replace(LINK, hop_s=1e-6)
    ring = replace(torus(16), scale_up=slow)
    assert time_s(Collective.ALL_GATHER, ring, 1e-9) == pytest.approx(8e-6)
    assert time_s(Collective.ALL_GATHER, without_wraparound(ring), 1e-9) == pytest.approx(15e-6)


def test_slices_exchange_a_chips_share_over_the_data_centre_network() -> None:
    inside = time_s(Collective.ALL_REDUCE, torus(4, 4), 1e9)
    between = 2 * 0.5 * 1e9 / 16 / 6.25e9
    assert time_s(Collective.ALL_REDUCE, torus(4, 4), 1e9, 2) == pytest.approx(inside + between)
    contended = replace(torus(4, 4), scale_out_share_frac=0.5)
    assert time_s(Collective.ALL_REDUCE, contended, 1e9, 2) == pytest.approx(inside + 2 * between)


def test_a_chip_sends_to_its_neighbour_over_one_link_and_to_another_slice_over_its_port() -> None:
    assert time_s(Collective.SEND, torus(2), 45e9) == pytest.approx(1.0)
    assert time_s(Collective.SEND, torus(1), 6.25e9, 2) == pytest.approx(1.0)
