"""Measured collectives of the catalogue: where they are used, and how well they predict what they lack."""

from __future__ import annotations

import statistics
from dataclasses import replace

import pytest
from pydantic import ValidationError

from dcsim.catalog.collective import MeasuredCollectives, MeasuredCurve, curves_of
from dcsim.catalog.group_network import group_network, measured_on
from dcsim.catalog.link import Link
from dcsim.catalog.loader import build_entry, entry_mapping, entry_names, load_entry
from dcsim.catalog.node import Node
from dcsim.formulas.network.group_collectives import bus_bandwidth, collective_time
from dcsim.formulas.network.group_network import Collective, GroupNetwork

MEBIBYTE = 2.0**20


def node(name: str, **changes: object) -> Node:
    entry = build_entry("nodes", {**entry_mapping("nodes", name), **changes, "name": name})
    assert isinstance(entry, Node)
    return entry


def names(of: Node) -> set[str]:
    return {entry.name for entry in measured_on(of)}


MEASURED_ON = {
    "nccl-nvlink3": node("dgx-a100"),
    "nccl-nvlink4": node("dgx-h100"),
    "nccl-h200-nvlink4": node("dgx-h200"),
    "nccl-nvlink5": node("dgx-b200"),
    "nccl-h100-infiniband-ndr": node("dgx-h100"),
    "nccl-h100-efa": node("dgx-h100", scale_out="efa-100g", num_nics=32),
    "nccl-a100-efa": node("dgx-a100", scale_out="efa-100g-p4d", num_nics=4),
    "nccl-b200-efa": node("dgx-b200", scale_out="efa-400g"),
    "nccl-gb200-infiniband": node("gb200-nvl72"),
    "nccl-gb300-roce": node("gb300-compute-tray", scale_out="ethernet-800g"),
}


def entry(name: str) -> MeasuredCollectives:
    found = load_entry("collectives", name)
    assert isinstance(found, MeasuredCollectives)
    return found


@pytest.mark.parametrize("name", entry_names("collectives"))
def test_every_table_is_used_on_the_system_that_it_was_measured_on(name: str) -> None:
    assert name in names(MEASURED_ON[name])


@pytest.mark.parametrize("name", entry_names("links"))
def test_links_name_tables_that_exist_and_that_name_them(name: str) -> None:
    link = load_entry("links", name)
    assert isinstance(link, Link)
    for table in link.collectives:
        assert name in (entry(table).scale_up, entry(table).scale_out)


def test_another_network_or_another_accelerator_does_without_the_table() -> None:
    assert "nccl-h100-infiniband-ndr" not in names(node("dgx-h100", scale_out="infiniband-hdr"))
    assert "nccl-h100-infiniband-ndr" not in names(node("dgx-h100", num_nics=4))
    assert "nccl-h200-nvlink4" not in names(node("dgx-h100"))
    assert group_network(node("l40s-4x")).measured is None


def test_the_table_of_the_accelerator_itself_goes_before_that_of_its_link() -> None:
    """A mebibyte among eight: 45.95 us on H200 (stas00/ml-engineering), 27.37 us on H100 (NVIDIA)."""
    for name, expected_s in (("dgx-h200", 45.95e-6), ("dgx-h100", 27.37e-6)):
        time_s = collective_time(Collective.ALL_REDUCE, group_network(node(name)), 8, 8, MEBIBYTE)
        assert time_s == pytest.approx(expected_s, rel=0.001)


# Bus bandwidth in GB/s of nccl-tests, each printed by its source: curve, ranks, ranks per domain, bytes
PUBLISHED = [
    ("nccl-nvlink4", 8, 8, 2.0**30, 466.33),
    ("nccl-nvlink3", 7, 7, 2.0**26, 192.53),
    ("nccl-h100-infiniband-ndr", 2048, 8, 2.0**30, 302),
    ("nccl-h100-efa", 16, 8, 2.0**32, 465.87),
    ("nccl-gb200-infiniband", 1440, 72, 2.0**34, 405.74),
]


@pytest.mark.parametrize(("name", "num_ranks", "per_domain", "size", "expected"), PUBLISHED)
def test_what_was_published_is_met(
    name: str, num_ranks: int, per_domain: int, size: float, expected: float
) -> None:
    network = group_network(MEASURED_ON[name])
    found = bus_bandwidth(Collective.ALL_REDUCE, network, num_ranks, per_domain, size)
    assert found / 1e9 == pytest.approx(expected, rel=0.001)


def left_out_errors(name: str) -> list[float]:
    """Errors at 1 MiB and more, each size taken out of its curve before it is predicted."""
    network = group_network(MEASURED_ON[name])
    return [
        abs(float(time_s) / curve.times_s[size] - 1.0)
        for curve in entry(name).curves
        for size in curve.times_s
        if size >= MEBIBYTE
        for time_s in [predicted(network, curve, size)]
    ]


def predicted(network: GroupNetwork, curve: MeasuredCurve, size: float) -> float:
    left = {other: value for other, value in curve.bus_bandwidth.items() if other != size}
    alone = entry("nccl-nvlink3").model_copy(
        update={"curves": (curve.model_copy(update={"bus_bandwidth": left}),)}
    )
    without = replace(network, measured=curves_of([alone]))
    return float(collective_time(curve.collective, without, curve.num_ranks, curve.ranks_per_domain, size))


def test_a_size_that_was_left_out_is_predicted_within_6_percent_in_the_mean() -> None:
    by_table = {name: left_out_errors(name) for name in entry_names("collectives")}
    assert statistics.fmean(error for errors in by_table.values() for error in errors) < 0.06
    assert all(statistics.fmean(errors) < 0.10 for errors in by_table.values())


def test_curves_across_domains_need_to_say_what_lies_between() -> None:
    mapping = {**entry_mapping("collectives", "nccl-h100-efa"), "name": "mine"}
    del mapping["num_nics"]
    with pytest.raises(ValidationError, match="need scale_out, domain_size and num_nics"):
        build_entry("collectives", mapping)
