"""Routes: what leaves a source arrives, by shortest ways, and none of it over a failed cable."""

from __future__ import annotations

import networkx
import numpy as np
import pytest

from dcsim.networks.flow import Flow, gather_flows, ring_flows
from dcsim.networks.network import Network
from dcsim.networks.routes import Route, Routes
from dcsim.policies.routing import Routing
from dcsim.policies.routings.ecmp import Ecmp
from dcsim.policies.routings.spray import Spray
from dcsim.policies.routings.static import Static
from tests.networks.networks import NUM_HOSTS, TOPOLOGIES, hosts, network

ROUTINGS: tuple[Routing, ...] = (Ecmp(), Ecmp(num_queue_pairs=1), Static(), Spray())
PAIRS = [(s, d) for s in range(NUM_HOSTS) for d in range(NUM_HOSTS) if s != d]


def balance(net: Network, route: Route) -> np.ndarray:
    """What enters each vertex over what leaves it."""
    entering = np.bincount(net.destinations[route.links], route.weights, minlength=net.num_vertices)
    return entering - np.bincount(net.sources[route.links], route.weights, minlength=net.num_vertices)


@pytest.mark.parametrize("routing", ROUTINGS)
@pytest.mark.parametrize("name", TOPOLOGIES)
def test_what_leaves_the_source_reaches_the_destination_and_nothing_else(name: str, routing: Routing) -> None:
    net = network(name)
    for (source, destination), route in zip(
        PAIRS, Routes(net, routing).of([Flow(s, d, 1.0) for s, d in PAIRS]), strict=True
    ):
        expected = np.zeros(net.num_vertices)
        expected[source], expected[destination] = -1, 1
        assert balance(net, route) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("name", TOPOLOGIES)
def test_ways_are_as_short_as_those_that_networkx_finds(name: str) -> None:
    net = network(name)
    graph = networkx.DiGraph()
    for source, destination, cost in zip(net.sources, net.destinations, net.costs, strict=True):
        if net.forwards[destination] or destination < NUM_HOSTS:
            graph.add_edge(int(source), int(destination), weight=int(cost))
    for source, destination in PAIRS:
        inner = graph.subgraph(v for v in graph if net.forwards[v] or v in (source, destination))
        shortest = networkx.shortest_path_length(inner, source, destination, weight="weight")
        (route,) = Routes(net, Spray()).of([Flow(source, destination, 1.0)])
        assert (route.weights * net.costs[route.links]).sum() == pytest.approx(shortest)
        if source:
            break  # one source stands for all: the check builds a graph for each pair


@pytest.mark.parametrize("routing", ROUTINGS)
def test_no_way_leads_over_a_failed_cable(routing: Routing) -> None:
    net = network("leaf_spine")
    is_up = np.full(net.num_links, True)
    for cable in net.cables_of("spine 0"):
        is_up[2 * cable : 2 * cable + 2] = False
    routes = Routes(net, routing, is_up).of([Flow(s, d, 1.0) for s, d in PAIRS])
    assert all(route.is_open and is_up[route.links].all() for route in routes)


def test_a_host_that_is_cut_off_has_no_way() -> None:
    net = network("leaf_spine")
    is_up = np.full(net.num_links, True)
    for cable in net.cables_of("node 3"):
        is_up[2 * cable : 2 * cable + 2] = False
    to, away, other = Routes(net, Ecmp(), is_up).of([Flow(0, 3, 1.0), Flow(3, 0, 1.0), Flow(0, 15, 1.0)])
    assert (to.is_open, away.is_open, other.is_open) == (False, False, True)
    assert not len(to.links)


def test_a_bundle_weighs_what_its_members_weigh_together() -> None:
    net = network("fat_tree")
    routes = Routes(net, Ecmp())
    (ring,) = routes.of(ring_flows(range(NUM_HOSTS), 1.0))
    members = routes.of([Flow(n, (n + 1) % NUM_HOSTS, 1.0) for n in range(NUM_HOSTS)])
    total = np.zeros(net.num_links)
    for route in members:
        total[route.links] += route.weights
    assert np.bincount(ring.links, ring.weights, minlength=net.num_links) == pytest.approx(total)


def test_a_gateway_is_reached_over_all_of_the_top_and_stands_on_no_other_way() -> None:
    net = network("leaf_spine")
    plugged = net.with_gateway("lustre", 8.0, latency_s=1.0)
    (gather,) = Routes(plugged, Spray()).of(gather_flows(range(NUM_HOSTS), "lustre", 1.0))
    port = plugged.num_links - 2
    assert gather.weights[gather.links == port] == pytest.approx(NUM_HOSTS)
    assert gather.latency_s == pytest.approx(1.0)
    flows = [Flow(s, d, 1.0) for s, d in PAIRS]
    before, after = Routes(net, Ecmp()).of(flows), Routes(plugged, Ecmp()).of(flows)
    assert all((one.links == other.links).all() for one, other in zip(before, after, strict=True))


def test_latency_is_that_of_one_hop_of_the_link_catalogue() -> None:
    net = TOPOLOGIES["fat_tree"].network(hosts(latency_s=3e-6))
    near, far = Routes(net, Ecmp()).of([Flow(0, 1, 1.0), Flow(0, 15, 1.0)])
    assert (near.latency_s, far.latency_s) == pytest.approx((3e-6, 3e-6))


def test_a_flow_of_a_node_leaves_over_all_its_rails() -> None:
    net = network("rail_optimized")
    (route,) = Routes(net, Static()).of([Flow(0, 15, 1.0)])
    ports = net.sources[route.links] == 0
    assert route.weights[ports].tolist() == [0.5, 0.5]


def test_inside_a_scale_up_domain_the_scale_up_switch_is_taken() -> None:
    net = network("scale_up_domain")
    inside, outside = Routes(net, Ecmp()).of([Flow(0, 3, 1.0), Flow(0, 4, 1.0)])
    assert {net.link_name(link) for link in inside.links} == {"node 0 -> domain 0", "domain 0 -> node 3"}
    assert not any("domain" in net.link_name(link) for link in outside.links)
