"""From a networkx graph of cables to a Network: what topologies draw becomes arrays, or is refused."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dcsim.errors import Problem, ScenarioError
from dcsim.networks.network import SCALE_OUT_COST, Network

if TYPE_CHECKING:
    import networkx


@dataclass(frozen=True, slots=True)
class Hosts:
    """What a topology is drawn for: the nodes of the cluster and their ports.

    Rates are per direction and what large transfers reach: line rate times the achievable share. The
    scale-up rate is that of all accelerators of the node together. ``folder`` is where files are named from.
    """

    num_hosts: int
    num_ports: int
    port_bytes_per_s: float
    latency_s: float
    scale_up_bytes_per_s: float
    scale_up_latency_s: float
    folder: Path = Path()

    @property
    def bytes_per_s(self) -> float:
        """What all scale-out ports of a host carry together."""
        return self.num_ports * self.port_bytes_per_s


def new_graph(num_hosts: int) -> networkx.MultiGraph:
    """A graph of the hosts 0, 1, ... without cables."""
    import networkx

    graph = networkx.MultiGraph()
    graph.add_nodes_from(range(num_hosts))
    return graph


def add_cable(
    graph: networkx.MultiGraph,
    one: int | str,
    other: int | str,
    bytes_per_s: float,
    latency_s: float = 0.0,
    cost: int = SCALE_OUT_COST,
) -> None:
    """Join two vertices: hosts are numbers, switches are names."""
    graph.add_edge(one, other, bytes_per_s=bytes_per_s, latency_s=latency_s, cost=cost)


def network_of(
    graph: networkx.MultiGraph, num_hosts: int, attachments: tuple[int | str, ...], *, hosts_forward: bool
) -> Network:
    """The graph as a Network. Raises ScenarioError where two hosts cannot reach each other."""
    switches = [vertex for vertex in graph if not isinstance(vertex, int)]
    numbers = {
        **{host: host for host in range(num_hosts)},
        **{s: num_hosts + i for i, s in enumerate(switches)},
    }
    edges = list(graph.edges(data=True))
    ends = np.array([(numbers[one], numbers[other]) for one, other, _ in edges], dtype=np.int64).reshape(
        -1, 2
    )
    forwards = np.full(len(numbers), True)
    forwards[:num_hosts] = hosts_forward
    network = Network(
        names=(*(f"node {host}" for host in range(num_hosts)), *(str(switch) for switch in switches)),
        num_hosts=num_hosts,
        sources=ends.ravel(),
        destinations=ends[:, ::-1].ravel(),
        bytes_per_s=np.repeat([float(cable["bytes_per_s"]) for *_, cable in edges], 2),
        latency_s=np.repeat([float(cable["latency_s"]) for *_, cable in edges], 2),
        costs=np.repeat(np.array([cable["cost"] for *_, cable in edges], dtype=np.int64), 2),
        forwards=forwards,
        attachments=tuple(numbers[vertex] for vertex in attachments),
    )
    _refuse_strangers(graph, num_hosts, hosts_forward=hosts_forward)
    return network


def _refuse_strangers(graph: networkx.MultiGraph, num_hosts: int, *, hosts_forward: bool) -> None:
    """Two hosts reach each other if they touch one island of what is left without hosts."""
    import networkx

    inner = graph if hosts_forward else graph.subgraph(v for v in graph if not isinstance(v, int))
    islands = [frozenset(island) for island in networkx.connected_components(inner)]
    island_of = {vertex: number for number, island in enumerate(islands) for vertex in island}
    touched: dict[frozenset[int], int] = {}
    for host in range(num_hosts):
        beyond = [host] if hosts_forward else [other for other in graph[host] if other in island_of]
        reached = frozenset(island_of[vertex] for vertex in beyond)
        touched.setdefault(reached, host)
    hosts = sorted(touched.items(), key=lambda item: item[1])
    for number, (islands_of_one, one) in enumerate(hosts):
        for islands_of_other, other in hosts[number + 1 :]:
            if not islands_of_one & islands_of_other:
                message = f"is disconnected: no way from node {one} to node {other}"
                remedy = "Add a cable, or lower the number of nodes"
                raise ScenarioError(Problem(message, "cluster.fabric.topology", remedy=remedy))
        if not islands_of_one and num_hosts > 1:
            raise ScenarioError(Problem(f"node {one} has no cable", "cluster.fabric.topology"))
