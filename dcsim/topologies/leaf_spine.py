"""Leaf-spine: two tiers, every leaf joined to every spine."""

from __future__ import annotations

from dcsim.networks.clos import Clos, join_tiers, leaves_of
from dcsim.networks.graph import Hosts, add_cable, network_of, new_graph
from dcsim.networks.network import Network
from dcsim.networks.topology import refuse


class LeafSpine(Clos):
    """Hosts at leaves, leaves joined to all spines.

    All ports of a host go to one leaf and are drawn as one cable of their summed rate, as are the cables of
    each uplink: as many equal planes, side by side. With switches of 64 ports there is room for 2,048 hosts.
    """

    def network(self, hosts: Hosts) -> Network:
        """Leaves of ``hosts_per_leaf``, and as many spines as a leaf has uplinks."""
        ports = self.leaf_ports(hosts)
        groups = leaves_of(hosts.num_hosts, ports.num_down)
        if len(groups) > self.radix:
            message = f"needs {len(groups)} leaves, more than the ports of a spine"
            raise refuse(message, self.radix, "Use fat_tree, or raise radix", "radix")
        graph = new_graph(hosts.num_hosts)
        leaves = [f"leaf {number}" for number in range(len(groups))]
        spines = [f"spine {number}" for number in range(ports.num_up)] if len(leaves) > 1 else []
        for leaf, group in zip(leaves, groups, strict=True):
            for host in group:
                add_cable(graph, host, leaf, hosts.bytes_per_s, hosts.latency_s / 2)
        uplink_bytes_per_s = ports.num_down * hosts.bytes_per_s / self.oversubscription / ports.num_up
        join_tiers(graph, leaves, spines, uplink_bytes_per_s)
        return network_of(graph, hosts.num_hosts, tuple(spines or leaves), hosts_forward=False)
