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
from dcsim.formulas.group_collectives import bus_bandwidth
from dcsim.formulas.group_network import Collective, GroupNetwork, bus_bytes_frac
from dcsim.formulas.nccl_time import nccl_time_s

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


@pytest.mark.parametrize("kind", RING_KINDS)
def test_a_huge_message_reaches_the_bus_bandwidth_of_the_wire(kind: Collective) -> None:
    assert bus_bandwidth(kind, PLAIN, 4, 4, HUGE) == pytest.approx(360e9, rel=0.01)


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


def test_on_a_ring_a_large_all_reduce_is_a_scatter_and_a_gather() -> None:
    both = 2 * nccl_time_s(Collective.ALL_GATHER, PLAIN, 8, 8, HUGE)
    assert nccl_time_s(Collective.ALL_REDUCE, PLAIN, 8, 8, HUGE) == pytest.approx(both, rel=0.01)


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
    """Twice 28 us inside the domain (nccl, src/graph/tuning.cc, hwLat of Tree Simple), beside its steps."""
    bytes_s = HUGE * bus_bytes_frac(Collective.ALL_REDUCE, 4) / 360e9
    latency_s = 8.4e-6 + 6 * 3.4e-6
    expected = latency_s + bytes_s + 2 * 28e-6
    assert nccl_time_s(Collective.ALL_REDUCE, PLAIN, 4, 4, HUGE) == pytest.approx(expected, rel=1e-9)


def test_two_racks_of_64_gb200_are_met_within_8_percent_without_any_curve() -> None:
    """coreweave/nccl-tests, README.md: 494 to 810 GB/s of bus bandwidth from 512 MiB to 16 GiB."""
    published = {29: 493.94, 30: 596.1, 31: 680.3, 32: 743.1, 33: 793.1, 34: 810.41}
    for octave, bandwidth in published.items():
        found = bus_bandwidth(Collective.ALL_REDUCE, like("gb200-nvl72"), 128, 64, 2.0**octave)
        assert found / 1e9 == pytest.approx(bandwidth, rel=0.08)


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
