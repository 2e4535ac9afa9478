"""The tuning form of NCCL against its own identities and against published peaks."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcsim.catalog.group_network import group_network
from dcsim.catalog.loader import build_entry, entry_mapping
from dcsim.catalog.node import Node
from dcsim.formulas.deployment import Wire
from dcsim.formulas.network.group_collectives import bus_bandwidth
from dcsim.formulas.network.group_network import Collective, GroupNetwork, bus_bytes_frac
from dcsim.formulas.network.nccl_time import nccl_time_s

PLAIN = GroupNetwork(
    scale_up=Wire(bytes_per_s=450e9, achievable_frac=0.8, base_s=5e-6, hop_s=1e-7),
    scale_out=Wire(bytes_per_s=50e9, achievable_frac=0.9, base_s=6e-6, hop_s=2.7e-6),
    domain_size=8,
)
SWITCHED = replace(PLAIN, scale_up=replace(PLAIN.scale_up, has_in_network_reduction=True))
SHARP = replace(SWITCHED, scale_out=replace(PLAIN.scale_out, has_in_network_reduction=True))
RING_KINDS = (Collective.ALL_REDUCE, Collective.ALL_GATHER, Collective.REDUCE_SCATTER, Collective.BROADCAST)
OTHERS = [kind for kind in Collective if kind is not Collective.ALL_REDUCE]
RANKS = st.sampled_from([(2, 2), (8, 8), (16, 8), (64, 8), (64, 1), (4096, 8)])
BYTES = st.floats(1.0, 1e12)
HUGE = 1e13
LARGE = 2.0**34


def like(name: str, **changes: object) -> GroupNetwork:
    node = build_entry("nodes", {**entry_mapping("nodes", name), **changes, "name": name})
    assert isinstance(node, Node)
    return replace(group_network(node), measured=None)


def test_a_huge_all_reduce_reaches_the_bus_bandwidth_of_the_wire() -> None:
    assert bus_bandwidth(Collective.ALL_REDUCE, PLAIN, 4, 4, HUGE) == pytest.approx(360e9, rel=0.01)


@pytest.mark.parametrize("num_ranks", [2, 4, 8])
def test_a_round_of_a_gather_loses_twice_as_much_as_one_of_an_all_reduce(num_ranks: int) -> None:
    """Both copy once more than they pass on (nccl, src/device/all_gather.h, all_reduce.h)."""
    gather, reduce = (
        360e9 / bus_bandwidth(kind, PLAIN, num_ranks, num_ranks, HUGE)
        for kind in (Collective.ALL_GATHER, Collective.ALL_REDUCE)
    )
    wire = 2 * reduce - gather  # of the wire alone, four ranks' share of it
    assert wire == pytest.approx(1 / (1 + 0.5 / 6), rel=1e-3)


@pytest.mark.parametrize("kind", RING_KINDS)
def test_a_ring_of_few_ranks_waits_more_and_none_beats_the_wire(kind: Collective) -> None:
    bandwidths = [bus_bandwidth(kind, PLAIN, num_ranks, num_ranks, HUGE) for num_ranks in (2, 3, 5, 8)]
    assert bandwidths == sorted(bandwidths)
    whole = replace(PLAIN, scale_up=replace(PLAIN.scale_up, achievable_frac=1.0))
    assert bus_bandwidth(kind, whole, 8, 8, HUGE) <= 450e9


@pytest.mark.parametrize("kind", RING_KINDS)
def test_across_domains_a_huge_message_is_bound_by_all_ports_of_a_domain_together(kind: Collective) -> None:
    narrow = replace(PLAIN, scale_out=replace(PLAIN.scale_out, bytes_per_s=25e9))
    assert bus_bandwidth(kind, narrow, 64, 8, HUGE) == pytest.approx(8 * 22.5e9, rel=0.01)


def test_two_domains_pass_each_byte_of_an_all_reduce_once() -> None:
    narrow = replace(PLAIN, scale_out=replace(PLAIN.scale_out, bytes_per_s=10e9))
    volume = bus_bytes_frac(Collective.ALL_REDUCE, 16)
    bandwidth = bus_bandwidth(Collective.ALL_REDUCE, narrow, 16, 8, HUGE)
    assert bandwidth == pytest.approx(volume * 8 * 9e9, rel=0.01)


@given(RANKS, BYTES)
def test_an_all_reduce_takes_no_longer_than_a_scatter_and_a_gather(
    ranks: tuple[int, int], num_bytes: float
) -> None:
    both = nccl_time_s(Collective.REDUCE_SCATTER, PLAIN, *ranks, num_bytes) + nccl_time_s(
        Collective.ALL_GATHER, PLAIN, *ranks, num_bytes
    )
    assert nccl_time_s(Collective.ALL_REDUCE, PLAIN, *ranks, num_bytes) <= both


def test_on_a_ring_a_large_all_reduce_is_a_scatter_and_a_gather_in_one_round_less() -> None:
    both = 2 * nccl_time_s(Collective.ALL_GATHER, PLAIN, 8, 8, HUGE)
    rounds = (14 + 0.5) / (14 + 1.0)
    assert nccl_time_s(Collective.ALL_REDUCE, PLAIN, 8, 8, HUGE) == pytest.approx(both * rounds, rel=1e-3)


@given(st.sampled_from(list(Collective)), RANKS, BYTES, st.floats(1.0, 100.0))
def test_more_bytes_take_no_less_time(
    kind: Collective, ranks: tuple[int, int], num_bytes: float, more: float
) -> None:
    for network in (PLAIN, SHARP):
        longer = nccl_time_s(kind, network, *ranks, num_bytes * more)
        assert longer >= nccl_time_s(kind, network, *ranks, num_bytes)


@given(st.sampled_from(OTHERS), RANKS, BYTES)
def test_switches_that_reduce_help_all_reduce_only(
    kind: Collective, ranks: tuple[int, int], num_bytes: float
) -> None:
    assert nccl_time_s(kind, SHARP, *ranks, num_bytes) == nccl_time_s(kind, PLAIN, *ranks, num_bytes)


@given(RANKS, BYTES)
def test_switches_that_reduce_never_hurt(ranks: tuple[int, int], num_bytes: float) -> None:
    plain, inside, everywhere = (
        nccl_time_s(Collective.ALL_REDUCE, network, *ranks, num_bytes) for network in (PLAIN, SWITCHED, SHARP)
    )
    assert everywhere <= inside <= plain


@given(st.sampled_from(list(Collective)), BYTES, st.floats(0.01, 1.0))
def test_a_smaller_share_of_the_ports_takes_longer_across_domains_and_matters_not_inside(
    kind: Collective, num_bytes: float, share: float
) -> None:
    contended = replace(PLAIN, scale_out_share_frac=share)
    assert nccl_time_s(kind, contended, 64, 8, num_bytes) >= nccl_time_s(kind, PLAIN, 64, 8, num_bytes)
    assert nccl_time_s(kind, contended, 8, 8, num_bytes) == nccl_time_s(kind, PLAIN, 8, 8, num_bytes)


def test_a_small_all_reduce_costs_the_latencies_of_the_low_latency_ring() -> None:
    expected = 6.6e-6 + 14 * 0.6e-6  # nccl src/graph/tuning.cc: base, and 2(n-1) steps over NVLink
    assert nccl_time_s(Collective.ALL_REDUCE, PLAIN, 8, 8, 1.0) == pytest.approx(expected, rel=0.01)


def test_small_all_reduces_grow_with_the_logarithm_of_domains_and_small_gathers_with_their_number() -> None:
    def growth(kind: Collective) -> float:
        return nccl_time_s(kind, PLAIN, 4096, 8, 1e3) / nccl_time_s(kind, PLAIN, 512, 8, 1e3)

    assert growth(Collective.ALL_REDUCE) < 9 / 6
    assert growth(Collective.ALL_GATHER) == pytest.approx(8, rel=0.05)


def test_the_ramp_of_an_all_reduce_ends_at_two_whole_chunks() -> None:
    """Of 256 KiB on each of 24 channels, at the wire's bandwidth (nccl, src/graph/tuning.cc)."""
    bytes_s = HUGE * bus_bytes_frac(Collective.ALL_REDUCE, 4) / 360e9
    latency_s = 8.4e-6 + 6 * 3.4e-6
    expected = latency_s + bytes_s + 2 * 24 * 2**18 / 360e9
    assert nccl_time_s(Collective.ALL_REDUCE, PLAIN, 4, 4, HUGE) == pytest.approx(expected, rel=1e-9)


# Bus bandwidth in GB/s by octave of the size: coreweave/nccl-tests, README.md, two and twenty racks of GB200;
# aws-samples/awsome-distributed-training, micro-benchmarks/nccl-tests/README.md, two p4de and two p5
A100_EFA = like("dgx-a100", scale_out="efa-100g-p4d", num_nics=4)
H100_EFA = like("dgx-h100", scale_out="efa-100g", num_nics=32)


@pytest.mark.parametrize(
    ("network", "num_ranks", "per_domain", "published", "tolerance"),
    [
        (like("gb200-nvl72"), 128, 64, {29: 493.94, 30: 596.1, 32: 743.1, 34: 810.41}, 0.10),
        (like("gb200-nvl72"), 1440, 72, {29: 150.95, 30: 218.85, 32: 346.38, 34: 405.74}, 0.25),
        (A100_EFA, 16, 8, {20: 6.354, 23: 20.62, 26: 47.58, 29: 74.28, 31: 78.33}, 0.20),
        (H100_EFA, 16, 8, {26: 209.2, 28: 342.8, 30: 436.9, 34: 487.1}, 0.09),
    ],
)
def test_racks_and_efa_are_met_without_any_curve(
    network: GroupNetwork, num_ranks: int, per_domain: int, published: dict[int, float], tolerance: float
) -> None:
    for octave, bandwidth in published.items():
        found = bus_bandwidth(Collective.ALL_REDUCE, network, num_ranks, per_domain, 2.0**octave)
        assert found / 1e9 == pytest.approx(bandwidth, rel=tolerance)


@pytest.mark.parametrize(("num_bytes", "published_s"), [(16, 54.55e-6), (64, 55.60e-6), (256, 57.14e-6)])
def test_small_all_reduces_of_two_b200_nodes_over_efa_are_met_within_6_percent(
    num_bytes: float, published_s: float
) -> None:
    """dstackai/dstack, pull request 3961, two p6-b200, out of place."""
    found_s = nccl_time_s(Collective.ALL_REDUCE, like("dgx-b200", scale_out="efa-400g"), 16, 8, num_bytes)
    assert found_s == pytest.approx(published_s, rel=0.06)


def test_without_low_latency_protocols_a_small_all_reduce_costs_the_latencies_of_simple() -> None:
    """A tree of two domains: base, a chain of eight, two steps between; nccl, src/graph/tuning.cc."""
    simple = replace(PLAIN, has_low_latency_protocols=False)
    expected = 8.4e-6 + 2 * 7 * 4.0e-6 + 2 * 14.0e-6
    assert nccl_time_s(Collective.ALL_REDUCE, simple, 16, 8, 1.0) == pytest.approx(expected, rel=0.01)
    assert nccl_time_s(Collective.ALL_REDUCE, PLAIN, 16, 8, 1.0) < expected


def test_simple_waits_for_the_port_twice_where_it_is_slower_than_infiniband() -> None:
    """Once for the data, once for their flush (nccl, src/graph/tuning.cc, "flush extra latency")."""
    simple = replace(PLAIN, has_low_latency_protocols=False)
    slow = replace(simple, scale_out=replace(PLAIN.scale_out, hop_s=12.7e-6))
    added = nccl_time_s(Collective.ALL_REDUCE, slow, 16, 8, 1.0) - nccl_time_s(
        Collective.ALL_REDUCE, simple, 16, 8, 1.0
    )
    assert added == pytest.approx(2 * 2 * 10e-6, rel=0.01)


@given(st.floats(0.1, 1.0))
def test_over_many_domains_the_tree_of_switches_keeps_its_share_of_their_bandwidth(share: float) -> None:
    wide = replace(SWITCHED, scale_out=replace(PLAIN.scale_out, bytes_per_s=1e13), plain_tree_frac=0.5)
    whole, shared = (
        bus_bandwidth(Collective.ALL_REDUCE, replace(wide, switch_tree_frac=frac), 64, 8, HUGE)
        for frac in (1.0, share)
    )
    assert shared / whole == pytest.approx(share, rel=1e-3)


@given(st.floats(1.0, 64.0))
def test_larger_chunks_between_domains_lengthen_the_ramp_and_nothing_else(factor: float) -> None:
    large = replace(PLAIN, chunk_bytes=PLAIN.chunk_bytes * factor)
    added = nccl_time_s(Collective.ALL_REDUCE, large, 16, 8, HUGE) - nccl_time_s(
        Collective.ALL_REDUCE, PLAIN, 16, 8, HUGE
    )
    assert added == pytest.approx(2 * PLAIN.chunk_bytes * (factor - 1.0) / 45e9, abs=1e-7)


# Bus bandwidth in GB/s over MiB, arXiv:2411.13055, figure of NCCL all-reduce bandwidth by scale;
# 32, 256 and 4096 ranks were fitted, these were not
@pytest.mark.parametrize(
    ("num_ranks", "published"),
    [(64, {64: 190, 512: 311, 16384: 360}), (1024, {64: 124, 1024: 303, 16384: 347})],
)
def test_all_reduces_over_infiniband_are_met_within_10_percent_without_any_curve(
    num_ranks: int, published: dict[int, float]
) -> None:
    for mebibytes, bandwidth in published.items():
        found = bus_bandwidth(Collective.ALL_REDUCE, like("dgx-h100"), num_ranks, 8, mebibytes * 2.0**20)
        assert found / 1e9 == pytest.approx(bandwidth, rel=0.10)


# Peaks of bus bandwidth in GB/s: NVIDIA GTC 2025, session S72583, slides 12 and 13, and GTC 2024, S62129,
# slide 12, by way of stas00/ml-engineering; H200 and B200 with switches on: its network/README.md.
PEAKS = [
    (Collective.ALL_REDUCE, like("dgx-a100"), 8, 8, 232),
    (Collective.ALL_REDUCE, like("dgx-h100"), 8, 8, 480),
    (Collective.ALL_REDUCE, like("dgx-h200"), 6, 6, 435.6),
    (Collective.ALL_REDUCE, like("dgx-b200"), 6, 6, 778.2),
    (Collective.ALL_REDUCE, like("dgx-b200"), 7, 7, 811.2),
    (Collective.ALL_REDUCE, like("dgx-b200"), 8, 8, 850),
    (Collective.ALL_REDUCE, like("gb200-nvl72"), 32, 32, 850),
    (Collective.ALL_REDUCE, like("dgx-h100"), 32, 8, 370),
    (Collective.ALL_REDUCE, like("dgx-h100", scale_out="infiniband-ndr-sharp"), 32, 8, 480),
    (Collective.ALL_REDUCE, like("dgx-a100"), 32, 8, 192),
    (Collective.ALL_GATHER, like("dgx-h200"), 8, 8, 361.4),
    (Collective.REDUCE_SCATTER, like("dgx-h200"), 8, 8, 362.9),
    (Collective.ALL_TO_ALL, like("dgx-a100"), 8, 8, 210),
    (Collective.ALL_TO_ALL, like("dgx-b200"), 8, 8, 640),
    (Collective.ALL_TO_ALL, like("gb200-nvl72"), 32, 32, 640),
    (Collective.ALL_TO_ALL, like("dgx-a100"), 32, 8, 24),
    (Collective.ALL_TO_ALL, like("dgx-h100"), 32, 8, 48),
]


@pytest.mark.parametrize(("kind", "network", "num_ranks", "per_domain", "peak"), PEAKS)
def test_published_peaks_are_met_within_8_percent_without_any_curve(
    kind: Collective, network: GroupNetwork, num_ranks: int, per_domain: int, peak: float
) -> None:
    predicted = bus_bandwidth(kind, network, num_ranks, per_domain, LARGE)
    assert predicted / 1e9 == pytest.approx(peak, rel=0.08)


def test_in_a_full_mesh_two_ranks_have_one_link_of_seven() -> None:
    """Two MI300X reach 47.67 GB/s at 4 GiB, links of 64 GB/s (stas00/ml-engineering, network/README.md)."""
    predicted = bus_bandwidth(Collective.ALL_REDUCE, like("mi300x-8x"), 2, 2, 2.0**32)
    assert predicted / 1e9 == pytest.approx(47.671, rel=0.05)


@given(st.sampled_from(RING_KINDS))
def test_a_whole_mesh_is_as_wide_as_a_switch(kind: Collective) -> None:
    mesh = replace(PLAIN, is_full_mesh=True)
    assert nccl_time_s(kind, mesh, 8, 8, 1e9) == pytest.approx(nccl_time_s(kind, PLAIN, 8, 8, 1e9), rel=0.05)
    assert nccl_time_s(kind, mesh, 4, 4, 1e9) > nccl_time_s(kind, PLAIN, 4, 4, 1e9)
