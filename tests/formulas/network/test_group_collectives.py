"""Collectives of groups that span scale-up domains, against what must hold of any of them."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcsim.formulas.deployment import Wire
from dcsim.formulas.network.collective_curve import CollectiveCurves, collective_curve
from dcsim.formulas.network.group_collectives import Collective, GroupNetwork, bus_bandwidth, collective_time
from dcsim.formulas.network.nccl_time import nccl_time_s

NETWORK = GroupNetwork(
    scale_up=Wire(bytes_per_s=450e9, achievable_frac=0.8, base_s=5e-6, hop_s=1e-6),
    scale_out=Wire(bytes_per_s=50e9, achievable_frac=0.9, base_s=8e-6, hop_s=4e-6),
    domain_size=8,
)
SIZES = [2.0**octave for octave in range(12, 34)]
REDUCE = Collective.ALL_REDUCE


def measured(num_ranks: int, ranks_per_domain: int, factor: float) -> CollectiveCurves:
    """Curves of an all-reduce that took so many times what the form says."""
    times_s = {
        size: factor * nccl_time_s(REDUCE, NETWORK, num_ranks, ranks_per_domain, size) for size in SIZES
    }
    curves = {REDUCE.value: (collective_curve(num_ranks, ranks_per_domain, times_s),)}
    if num_ranks > ranks_per_domain:
        return CollectiveCurves(inside={}, spanning=curves)
    return CollectiveCurves(inside=curves, spanning={})


def form_s(num_ranks: int, ranks_per_domain: int, num_bytes: float, network: GroupNetwork = NETWORK) -> float:
    return nccl_time_s(REDUCE, network, num_ranks, ranks_per_domain, num_bytes)


KINDS = st.sampled_from(list(Collective))
RANKS = st.sampled_from([2, 4, 8, 16, 64, 1024])
BYTES = st.floats(1.0, 1e12)


@given(KINDS, BYTES)
def test_one_rank_has_nobody_to_talk_to(kind: Collective, num_bytes: float) -> None:
    assert collective_time(kind, NETWORK, 1, 1, num_bytes) == 0.0


@given(KINDS, RANKS)
def test_nothing_to_move_takes_no_time(kind: Collective, num_ranks: int) -> None:
    assert collective_time(kind, NETWORK, num_ranks, min(8, num_ranks), 0.0) == 0.0


@given(KINDS, RANKS, BYTES, st.floats(1.0, 100.0))
def test_more_bytes_take_no_less_time(
    kind: Collective, num_ranks: int, num_bytes: float, more: float
) -> None:
    inner = min(8, num_ranks)
    less_s = collective_time(kind, NETWORK, num_ranks, inner, num_bytes)
    assert collective_time(kind, NETWORK, num_ranks, inner, num_bytes * more) >= less_s


@given(KINDS, RANKS)
def test_arrays_give_what_their_numbers_give(kind: Collective, num_ranks: int) -> None:
    sizes = np.array([[0.0, 1e3], [1e6, 1e9]])
    times = collective_time(kind, NETWORK, num_ranks, min(8, num_ranks), sizes)
    assert isinstance(times, np.ndarray)
    expected = [collective_time(kind, NETWORK, num_ranks, min(8, num_ranks), float(s)) for s in sizes.flat]
    assert times.ravel() == pytest.approx(expected, rel=1e-15)


@given(KINDS, RANKS, BYTES)
def test_without_curves_the_tuning_form_stands_alone(
    kind: Collective, num_ranks: int, num_bytes: float
) -> None:
    expected = nccl_time_s(kind, NETWORK, num_ranks, min(8, num_ranks), num_bytes)
    assert collective_time(kind, NETWORK, num_ranks, min(8, num_ranks), num_bytes) == expected


@pytest.mark.parametrize("size", SIZES)
def test_what_was_measured_goes_before_the_form(size: float) -> None:
    network = replace(NETWORK, measured=measured(8, 8, 1.7))
    assert collective_time(REDUCE, network, 8, 8, size) == pytest.approx(1.7 * form_s(8, 8, size))


@given(st.sampled_from([2, 3, 6, 8]), st.floats(2.0**12, 2.0**33))
def test_curves_of_other_ranks_say_how_far_the_form_is_off(num_ranks: int, num_bytes: float) -> None:
    network = replace(NETWORK, measured=measured(8, 8, 1.7))
    expected = 1.7 * form_s(num_ranks, num_ranks, num_bytes)
    assert collective_time(REDUCE, network, num_ranks, num_ranks, num_bytes) == pytest.approx(
        expected, rel=0.05
    )


def test_between_two_curves_the_distance_counts_in_octaves() -> None:
    slow, fast = measured(64, 8, 2.0).spanning[REDUCE], measured(1024, 8, 0.5).spanning[REDUCE]
    curves = CollectiveCurves(inside={}, spanning={REDUCE: (*slow, *fast)})
    network = replace(NETWORK, measured=curves)
    middle = collective_time(REDUCE, network, 256, 8, SIZES[10]) / form_s(256, 8, SIZES[10])
    assert middle == pytest.approx(1.0)
    nearer = collective_time(REDUCE, network, 128, 8, SIZES[10]) / form_s(128, 8, SIZES[10])
    assert nearer == pytest.approx(math.sqrt(2.0))


def test_below_the_measured_sizes_the_form_goes_on_by_the_ratio_at_the_smallest() -> None:
    network = replace(NETWORK, measured=measured(8, 8, 1.7))
    assert collective_time(REDUCE, network, 8, 8, 1.0) == pytest.approx(1.7 * form_s(8, 8, 1.0), rel=1e-6)


@pytest.mark.parametrize("factor", [0.8, 1.0, 1.7])
def test_above_the_measured_sizes_the_form_goes_on_by_the_difference_at_the_largest(factor: float) -> None:
    network = replace(NETWORK, measured=measured(8, 8, factor))
    expected = form_s(8, 8, 2.0**40) + (factor - 1.0) * form_s(8, 8, SIZES[-1])
    assert collective_time(REDUCE, network, 8, 8, 2.0**40) == pytest.approx(expected, rel=1e-6)


@given(st.sampled_from([0.2, 0.8, 1.7]), st.sampled_from([2, 8]), BYTES, st.floats(1.0, 100.0))
def test_with_curves_more_bytes_take_no_less_time_on_the_measured_group(
    factor: float, num_ranks: int, num_bytes: float, more: float
) -> None:
    network = replace(NETWORK, measured=measured(num_ranks, num_ranks, factor))
    less_s = collective_time(REDUCE, network, num_ranks, num_ranks, num_bytes)
    longer_s = collective_time(REDUCE, network, num_ranks, num_ranks, num_bytes * more)
    assert longer_s >= less_s * (1.0 - 1e-12)


def test_curves_within_a_domain_say_nothing_of_groups_across_domains() -> None:
    network = replace(NETWORK, measured=measured(8, 8, 1.7))
    assert collective_time(REDUCE, network, 16, 8, 1e8) == form_s(16, 8, 1e8)
    across = replace(NETWORK, measured=measured(16, 8, 1.7))
    assert collective_time(REDUCE, across, 8, 8, 1e8) == form_s(8, 8, 1e8)


def test_one_rank_per_domain_is_compared_at_the_size_at_which_a_port_moves_as_much() -> None:
    network = replace(NETWORK, measured=measured(64, 8, 1.0))
    steps = CollectiveCurves(
        inside={},
        spanning={REDUCE: (collective_curve(64, 8, {2.0**20: 1.0, 2.0**23: 2.0, 2.0**26: 64.0}),)},
    )
    at_one_mebibyte = collective_time(REDUCE, replace(network, measured=steps), 8, 1, 2.0**20)
    expected = 2.0 * form_s(8, 1, 2.0**20) / form_s(64, 8, 2.0**23)
    assert at_one_mebibyte == pytest.approx(expected)


@given(st.floats(0.05, 1.0), st.floats(2.0**12, 2.0**33))
def test_contention_slows_what_was_measured_as_it_slows_the_form(share: float, num_bytes: float) -> None:
    network = replace(NETWORK, measured=measured(64, 8, 1.7), scale_out_share_frac=share)
    slowed = form_s(64, 8, num_bytes, replace(NETWORK, scale_out_share_frac=share))
    free = collective_time(REDUCE, replace(network, scale_out_share_frac=1.0), 64, 8, num_bytes)
    expected = free * slowed / form_s(64, 8, num_bytes)
    assert collective_time(REDUCE, network, 64, 8, num_bytes) == pytest.approx(expected)


def test_bus_bandwidth_is_what_nccl_tests_prints() -> None:
    seconds = collective_time(REDUCE, NETWORK, 8, 8, 1e9)
    assert bus_bandwidth(REDUCE, NETWORK, 8, 8, 1e9) == pytest.approx(1e9 / seconds * 2 * 7 / 8)


def test_rings_say_nothing_of_in_switch_reduction() -> None:
    """Four ranks are reduced in a ring, eight by their switches: the form stands alone there, not here."""
    up = replace(NETWORK.scale_up, has_in_network_reduction=True)
    network = replace(NETWORK, scale_up=up, measured=measured(4, 4, 1.7))
    for num_bytes, factor in ((2.0**33, 1.0), (2.0**12, 1.7)):
        plain_s = form_s(8, 8, num_bytes, network)
        assert collective_time(REDUCE, network, 8, 8, num_bytes) == pytest.approx(factor * plain_s, rel=1e-6)
