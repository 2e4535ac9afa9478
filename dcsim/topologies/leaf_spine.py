"""Leaf-spine: two tiers, every leaf joined to every spine."""

from __future__ import annotations

from dcsim.networks.clos import Clos
from dcsim.networks.graph import Hosts, network_of, new_graph
from dcsim.networks.network import Network


class LeafSpine(Clos):
    """Hosts at leaves, leaves joined to all spines.

    All ports of a host go to one leaf and are drawn as one cable of their summed rate, as are the cables of
    each uplink: as many equal planes, side by side. With switches of 64 ports there is room for 2,048 hosts.
    """

    def network(self, hosts: Hosts) -> Network:
        """Leaves of ``hosts_per_leaf``, and as many spines as a leaf has uplinks."""
        graph = new_graph(hosts.num_hosts)
        tops = self.join_leaves(graph, hosts, "Use fat_tree, or raise radix")
        return network_of(graph, hosts.num_hosts, tops, hosts_forward=False)
