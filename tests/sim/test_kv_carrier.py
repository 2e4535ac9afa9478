"""KV caches on their way: over the links of a node, the ports between nodes, and a fabric that others use."""

from __future__ import annotations

import pytest
import simpy

from dcsim.catalog.link import Link
from dcsim.catalog.loader import load_entry
from dcsim.catalog.node import Node
from dcsim.networks.flow import Flow
from dcsim.sim.fabric.fabric import Fabric
from dcsim.sim.serving.kv_carrier import KvCarrier, Seat
from dcsim.spec.fabric import FabricSpec, resolve_network

GIGABYTE = 1e9


def node(name: str = "dgx-h100") -> Node:
    found = load_entry("nodes", name)
    assert isinstance(found, Node)
    return found


def link(name: str) -> Link:
    found = load_entry("links", name)
    assert isinstance(found, Link)
    return found


def seat(first: int, count: int, per_node: int = 8) -> Seat:
    return Seat(first, count, per_node)


def sent(
    source: Seat,
    destination: Seat,
    *,
    fabric: bool = False,
    others: tuple[Flow, ...] = (),
    name: str = "dgx-h100",
    **spec: object,
) -> float:
    """When a gigabyte has arrived."""
    environment = simpy.Environment()
    network = resolve_network(FabricSpec.model_validate(spec), node(name), 4)
    way = Fabric(environment, network) if fabric else None
    carrier, arrived = KvCarrier(environment, node(name), way), list[float]()
    carrier.send(source, destination, GIGABYTE, label="KV", at_s=0.0, on_arrival=arrived.append)
    if others and way is not None:
        way.transfer(others, "others")
    environment.run()
    assert len(arrived) == 1
    return arrived[0]


def rate(name: str) -> float:
    return link(name).bytes_per_s * link(name).achievable_frac


@pytest.mark.parametrize("is_fabric", [False, True])
def test_inside_a_node_every_accelerator_sends_over_its_link(is_fabric: bool) -> None:
    expected_s = link("nvlink4").hop_s + GIGABYTE / (4 * rate("nvlink4"))
    assert sent(seat(0, 4), seat(4, 4), fabric=is_fabric) == pytest.approx(expected_s)


def test_between_nodes_every_accelerator_sends_over_its_port() -> None:
    expected_s = link("infiniband-ndr").hop_s + GIGABYTE / (4 * rate("infiniband-ndr"))
    assert sent(seat(0, 4), seat(8, 4)) == pytest.approx(expected_s)


def test_the_smaller_side_is_what_a_transfer_waits_for() -> None:
    assert sent(seat(0, 2), seat(8, 8)) == pytest.approx(sent(seat(0, 2), seat(8, 2)))
    assert sent(seat(0, 8), seat(8, 2)) == pytest.approx(sent(seat(0, 2), seat(8, 2)))


def test_a_replica_of_two_nodes_sends_from_both() -> None:
    of_one, of_two = sent(seat(0, 8), seat(16, 8)), sent(seat(0, 16), seat(16, 16))
    assert 0.5 * of_one <= of_two < 0.6 * of_one  # half of the bytes each, and the latency once


def test_an_idle_fabric_takes_as_long_as_the_ports_and_its_own_latency() -> None:
    alone_s = GIGABYTE / (4 * rate("infiniband-ndr"))
    found_s = sent(seat(0, 4), seat(8, 4), fabric=True)
    assert alone_s < found_s < alone_s + 1e-4


def test_on_a_fabric_a_transfer_shares_with_others() -> None:
    """Another flow wants all that the node sends: each has half of it, which is what four ports send."""
    other = (Flow(0, 2, 100 * GIGABYTE),)
    alone_s = sent(seat(0, 8), seat(8, 8), fabric=True)
    assert sent(seat(0, 8), seat(8, 8), fabric=True, others=other) == pytest.approx(2 * alone_s, rel=1e-3)
    alone_s = sent(seat(0, 4), seat(8, 4), fabric=True)
    assert sent(seat(0, 4), seat(8, 4), fabric=True, others=other) == pytest.approx(alone_s, rel=1e-3)


def test_in_a_scale_up_domain_trays_send_over_its_links() -> None:
    domain = {"topology": {"policy": "scale_up_domain", "nodes_per_domain": 4}}
    tray = {"fabric": True, "name": "gb200-compute-tray", **domain}
    found_s = sent(seat(0, 4, 4), seat(4, 4, 4), **tray)  # type: ignore[arg-type]
    assert found_s == pytest.approx(GIGABYTE / (4 * rate("nvlink5")), rel=0.02)
