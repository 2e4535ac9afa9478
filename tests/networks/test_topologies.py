"""Topologies: as many cables and as much bandwidth as theory gives them, and refusals in plain words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dcsim.errors import ScenarioError
from dcsim.formulas.network.max_min import Incidence, Numbers, max_min_rates
from dcsim.networks.flow import Flow
from dcsim.networks.graph import Hosts
from dcsim.networks.network import Network
from dcsim.networks.routes import Routes
from dcsim.policies.routing import Routing
from dcsim.policies.routings.spray import Spray
from dcsim.policies.routings.static import Static
from dcsim.topologies.dragonfly import Dragonfly, global_cables
from dcsim.topologies.edge_list import EdgeList
from dcsim.topologies.fat_tree import FatTree
from dcsim.topologies.leaf_spine import LeafSpine
from dcsim.topologies.rail_optimized import RailOptimized
from dcsim.topologies.torus import Torus
from tests.networks.networks import TOPOLOGIES, hosts, network


def rates(net: Network, flows: list[Flow], routing: Routing) -> Numbers:
    routes = Routes(net, routing).of(flows)
    owners = np.repeat(np.arange(len(routes)), [len(route.links) for route in routes])
    links, weights = (np.concatenate([getattr(r, name) for r in routes]) for name in ("links", "weights"))
    return max_min_rates(net.bytes_per_s, Incidence(owners, links, weights, np.full(len(flows), np.inf)))


def shifted(num_hosts: int, distance: int) -> list[Flow]:
    return [Flow(n, (n + distance) % num_hosts, 1.0) for n in range(num_hosts)]


@pytest.mark.parametrize("distance", range(1, 16))
@pytest.mark.parametrize("topology", [LeafSpine(radix=8), FatTree(radix=4), RailOptimized(radix=8)])
def test_trees_of_full_bisection_carry_every_shift_at_full_rate(topology: LeafSpine, distance: int) -> None:
    found = rates(topology.network(hosts()), shifted(16, distance), Spray())
    assert found == pytest.approx(np.full(16, 2.0))


@pytest.mark.parametrize("distance", range(1, 16))
def test_d_mod_k_carries_every_shift_of_a_fat_tree_without_blocking(distance: int) -> None:
    """Zahavi 2010: the shift permutations of a complete fat tree."""
    found = rates(FatTree(radix=4).network(hosts()), shifted(16, distance), Static())
    assert found == pytest.approx(np.full(16, 2.0))


def test_oversubscription_divides_what_leaves_a_leaf() -> None:
    topology = LeafSpine(radix=8, hosts_per_leaf=4, oversubscription=2)
    net = topology.network(hosts())
    assert rates(net, shifted(16, 4), Spray()) == pytest.approx(np.full(16, 1.0))
    inside = [Flow(n, n // 4 * 4 + (n + 1) % 4, 1.0) for n in range(16)]
    assert rates(net, inside, Spray()) == pytest.approx(np.full(16, 2.0))


def test_a_fat_tree_of_switches_of_k_ports_holds_a_quarter_of_k_cubed() -> None:
    net = FatTree(radix=6).network(hosts(54))
    switches = [name for name in net.names if not name.startswith("node")]
    assert len(switches) == 5 * 6**2 // 4  # k pods of k switches, and (k/2)^2 cores
    with pytest.raises(ScenarioError, match="more than the switch's ports"):
        FatTree(radix=6).network(hosts(55))


def test_ring_neighbours_on_a_torus_have_a_cable_each_way() -> None:
    net = Torus(axes=[4, 4]).network(hosts())
    assert rates(net, shifted(16, 4), Spray()) == pytest.approx(np.full(16, 10.0))
    num_grid_cables = net.num_cables - 16  # one cable of each node leads out of the torus
    assert num_grid_cables == 2 * 16
    assert Torus(axes=[4, 4], wrap=[True, False]).network(hosts()).num_cables - 16 == 16 + 12


def test_without_wrap_the_ends_of_an_axis_are_as_far_apart_as_it_is_long() -> None:
    for wrap, num_hops in ((True, 1), (False, 7)):
        net = Torus(axes=[8, 2], wrap=wrap).network(hosts())
        (route,) = Routes(net, Spray()).of([Flow(0, 14, 1.0)])
        assert route.weights.sum() == pytest.approx(num_hops)


@pytest.mark.parametrize(("groups", "size", "links"), [(9, 4, 2), (3, 4, 2), (2, 2, 1), (5, 3, 4)])
def test_a_dragonfly_joins_every_two_groups_equally_and_overloads_no_router(
    groups: int, size: int, links: int
) -> None:
    cables = global_cables(groups, size, links)
    between = [frozenset((one[0], other[0])) for one, other in cables]
    assert {between.count(pair) for pair in set(between)} == {size * links // (groups - 1)}
    assert len(set(between)) == groups * (groups - 1) // 2
    ends = [end for cable in cables for end in cable]
    assert max(ends.count(end) for end in ends) <= links


def test_a_failed_rail_leaf_leaves_the_other_rails() -> None:
    net = network("rail_optimized")
    is_up = np.full(net.num_links, True)
    for cable in net.cables_of("leaf 0.1"):
        is_up[2 * cable : 2 * cable + 2] = False
    (route,) = Routes(net, Spray(), is_up).of([Flow(0, 1, 1.0)])
    assert {net.link_name(link) for link in route.links} == {"node 0 -> leaf 0.0", "leaf 0.0 -> node 1"}


@pytest.mark.parametrize("name", sorted(TOPOLOGIES.keys() - {"torus", "mesh", "edge_list"}))
def test_a_cluster_of_one_node_needs_no_network(name: str) -> None:
    assert TOPOLOGIES[name].network(hosts(1)).num_hosts == 1


@pytest.mark.parametrize(
    ("topology", "message"),
    [
        (LeafSpine(radix=4), "needs 8 leaves, more than the ports of a spine"),
        (LeafSpine(radix=8, hosts_per_leaf=8), "more than the switch's ports"),
        (RailOptimized(radix=4), "leaves on each rail"),
        (Dragonfly(hosts_per_router=1, routers_per_group=1, global_links=1), "needs 16 groups"),
        (Torus(axes=[4, 3]), "must multiply to the number of nodes, 16"),
        (Torus(axes=[4, 4], wrap=[True]), "one value for each"),
        (EdgeList(), "needs a file or cables"),
    ],
)
def test_what_cannot_be_built_is_refused_with_the_reason(topology: LeafSpine, message: str) -> None:
    with pytest.raises(ScenarioError, match=message):
        topology.network(hosts())


def edges(*cables: tuple[str, str]) -> EdgeList:
    rows = [{"from": one, "to": other, "bandwidth": "1 B/s"} for one, other in cables]
    return EdgeList.model_validate({"cables": rows})


@pytest.mark.parametrize(
    ("cables", "message"),
    [
        ([("node0", "a"), ("node1", "b")], "disconnected: no way from node 0 to node 1"),
        ([("node0", "a")], "disconnected"),
        ([("node0", "a"), ("node1", "a"), ("a", "a")], "from a vertex to itself"),
        ([("node0", "a"), ("node2", "a")], "beyond the cluster's 2"),
        ([("node0", "a"), ("a", "node1"), ("x", "y")], None),
    ],
)
def test_an_edge_list_must_join_its_nodes(cables: list[tuple[str, str]], message: str | None) -> None:
    if message is None:
        assert edges(*cables).network(hosts(2)).num_cables == 3
        return
    with pytest.raises(ScenarioError, match=message):
        edges(*cables).network(hosts(2))


def test_nodes_joined_without_a_switch_pass_on_what_is_not_for_them() -> None:
    net = edges(("node0", "node1"), ("node1", "node2")).network(hosts(3))
    (route,) = Routes(net, Static()).of([Flow(0, 2, 1.0)])
    assert [net.link_name(link) for link in route.links] == ["node 0 -> node 1", "node 1 -> node 2"]


def in_folder(folder: Path) -> Hosts:
    return Hosts(2, 1, 1.0, 0.0, 1.0, 0.0, folder)


def test_an_edge_list_is_read_from_a_file_of_the_scenarios_folder(tmp_path: Path) -> None:
    text = "from,to,bandwidth,latency\nnode0,a,400 Gbit/s,1 us\nnode 1,a,50 GB/s,\n"
    (tmp_path / "wires.csv").write_text(text, encoding="utf-8")
    net = EdgeList(path="wires.csv").network(in_folder(tmp_path))
    assert net.bytes_per_s.tolist() == [50e9] * 4
    assert net.latency_s.tolist() == [1e-6, 1e-6, 0.0, 0.0]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("node0,a,400", "wires.csv:2.*a unit is missing"),
        ("node0,a,0 B/s", "wires.csv:2.*bandwidth above 0"),
        ("node0,a", "wires.csv:2.*2 cells"),
    ],
)
def test_a_bad_line_of_an_edge_list_is_named(tmp_path: Path, line: str, message: str) -> None:
    (tmp_path / "wires.csv").write_text(f"from,to,bandwidth\n{line}\n", encoding="utf-8")
    with pytest.raises(ScenarioError, match=message):
        EdgeList(path="wires.csv").network(in_folder(tmp_path))


def test_a_node_sends_over_its_ports_alone_once_it_leaves_its_scale_up_domain() -> None:
    assert network("scale_up_domain").host_bytes_per_s(0) == network("leaf_spine").host_bytes_per_s(0) == 2.0
    assert network("torus").host_bytes_per_s(0) == 4 * 10.0  # an axis of four, and two of two with one cable
