"""Collectives against theory and against measured all-reduces."""

import statistics

import numpy as np
import pytest

from dcsim.catalog.link import Link
from dcsim.catalog.loader import load_entry
from dcsim.formulas.deployment import Wire
from dcsim.formulas.network.collectives import all_gather_time, all_reduce_time, ring_over_nodes, send_time

PLAIN = Wire(bytes_per_s=100e9, achievable_frac=1.0, base_s=1e-6, hop_s=1e-7)

# All-reduce of bytes over n ranks, us: vLLM custom all-reduce in CUDA graphs, NVIDIA AIConfigurator 0.12
# (Apache-2.0), comm/vllm/0.14.0 (A100) and 0.24.0 (H100, B200).
MEASURED = {
    "nvlink3": [
        (2, 2**16, 5.5),
        (2, 2**20, 10.7),
        (4, 2**20, 18.3),
        (8, 2**16, 8.4),
        (8, 2**20, 21.7),
        (2, 2**26, 388.5),
        (4, 2**26, 540.0),
        (8, 2**23, 129.0),
        (8, 2**30, 8250.9),
    ],
    "nvlink4": [
        (2, 2**16, 4.5),
        (2, 2**20, 8.3),
        (4, 2**20, 12.8),
        (8, 2**16, 6.4),
        (8, 2**20, 15.0),
        (2, 2**26, 306.7),
        (4, 2**26, 329.9),
        (8, 2**23, 50.7),
        (8, 2**30, 4009.2),
    ],
    "nvlink5": [
        (2, 2**16, 7.1),
        (2, 2**20, 13.1),
        (4, 2**20, 18.4),
        (8, 2**16, 8.6),
        (8, 2**20, 17.2),
        (2, 2**26, 155.1),
        (4, 2**26, 187.4),
        (8, 2**23, 39.2),
        (8, 2**30, 2604.0),
    ],
}


def wire(name: str) -> Wire:
    link = load_entry("links", name)
    assert isinstance(link, Link)
    return Wire(
        link.bytes_per_s, link.achievable_frac, link.base_s, link.hop_s, link.has_in_network_reduction
    )


@pytest.mark.parametrize("name", MEASURED)
def test_all_reduce_meets_the_measured_kernels_within_20_percent_median(name: str) -> None:
    errors = [
        abs(all_reduce_time(wire(name), n, float(size)) * 1e6 / us - 1) for n, size, us in MEASURED[name]
    ]
    assert statistics.median(errors) < 0.20
    assert max(errors) < 0.40


def test_one_rank_has_nobody_to_talk_to() -> None:
    assert all_reduce_time(PLAIN, 1, 1e9) == 0.0
    assert all_gather_time(PLAIN, 1, 1e9) == 0.0


def test_a_large_all_reduce_reaches_the_bus_bandwidth_of_the_wire() -> None:
    size = 1e12
    bus = size * 2 * 7 / 8 / all_reduce_time(PLAIN, 8, size)
    assert bus == pytest.approx(100e9, rel=0.01)


def test_an_all_reduce_moves_what_a_gather_moves_twice() -> None:
    assert all_reduce_time(PLAIN, 4, 1e12) == pytest.approx(2 * all_gather_time(PLAIN, 4, 1e12), rel=0.01)


def test_switches_that_reduce_help_all_reduce_of_many_ranks_only() -> None:
    reducing = Wire(100e9, 1.0, 1e-6, 1e-7, has_in_network_reduction=True)
    assert all_reduce_time(reducing, 8, 1e9) < all_reduce_time(PLAIN, 8, 1e9)
    assert all_reduce_time(reducing, 2, 1e9) == all_reduce_time(PLAIN, 2, 1e9)
    assert all_gather_time(reducing, 8, 1e9) == all_gather_time(PLAIN, 8, 1e9)


def test_nothing_to_send_takes_no_time() -> None:
    sizes = np.array([0.0, 1e6])
    for times in (
        all_reduce_time(PLAIN, 4, sizes),
        all_gather_time(PLAIN, 4, sizes),
        send_time(PLAIN, sizes),
    ):
        assert isinstance(times, np.ndarray)
        assert times[0] == 0.0
        assert times[1] > 0.0


def test_a_ring_through_nodes_is_as_wide_as_its_narrowest_link() -> None:
    between = Wire(bytes_per_s=50e9, achievable_frac=0.9, base_s=5e-6, hop_s=3e-6)
    ring = ring_over_nodes(PLAIN, between, 16, 2)
    assert ring.bytes_per_s * ring.achievable_frac == pytest.approx(45e9)
    assert ring.hop_s == pytest.approx((14 * 1e-7 + 1 * 3e-6) / 15)
