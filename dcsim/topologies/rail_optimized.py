"""Rail-optimised: port r of every node goes to a leaf of rail r, each rail a leaf-spine of its own."""

from __future__ import annotations

from dcsim.networks.clos import Clos, join_tiers, leaves_of
from dcsim.networks.graph import Hosts, add_cable, network_of, new_graph
from dcsim.networks.network import Network
from dcsim.networks.topology import refuse


class RailOptimized(Clos):
    """As many rails as a node has ports; accelerators of equal number in all nodes meet at one leaf.

    NVIDIA DGX SuperPOD H100 reference architecture (RA-11333), compute fabric: 32 nodes on eight leaves, one
    for each port. Traffic keeps to its rail; what must change rails does so inside a node (PXN of NCCL). A
    failed leaf takes one rail of its nodes, not the nodes.
    """

    def network(self, hosts: Hosts) -> Network:
        """For each rail, leaves of ``hosts_per_leaf`` and as many spines as a leaf has uplinks."""
        ports = self.leaf_ports(hosts)
        groups = leaves_of(hosts.num_hosts, ports.num_down)
        if len(groups) > self.radix:
            message = f"needs {len(groups)} leaves on each rail, more than the ports of a spine"
            raise refuse(message, self.radix, "Use fat_tree, or raise radix", "radix")
        graph = new_graph(hosts.num_hosts)
        tops: list[str] = []
        uplink_bytes_per_s = ports.num_down * hosts.port_bytes_per_s / self.oversubscription / ports.num_up
        for rail in range(hosts.num_ports):
            leaves = [f"leaf {number}.{rail}" for number in range(len(groups))]
            for leaf, group in zip(leaves, groups, strict=True):
                for host in group:
                    add_cable(graph, host, leaf, hosts.port_bytes_per_s, hosts.latency_s / 2)
            spines = [f"spine {number}.{rail}" for number in range(ports.num_up)] if len(leaves) > 1 else []
            join_tiers(graph, leaves, spines, uplink_bytes_per_s)
            tops += spines or leaves
        return network_of(graph, hosts.num_hosts, tuple(tops), hosts_forward=False)
