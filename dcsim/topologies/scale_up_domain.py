"""Scale-up domains: nodes joined by NVLink switches as in an NVL72 rack, the racks by a leaf-spine."""

from __future__ import annotations

from pydantic import Field

from dcsim.networks.clos import Clos
from dcsim.networks.graph import Hosts, add_cable, network_of, new_graph
from dcsim.networks.network import SCALE_UP_COST, Network


class ScaleUpDomain(Clos):
    """Nodes of one domain talk over its switch at the scale-up rate; the domains over leaves and spines.

    A GB200 NVL72 rack is 18 compute trays of four GPUs: nodes gb200-compute-tray, ``nodes_per_domain: 18``.
    """

    nodes_per_domain: int = Field(default=18, gt=1, description="Nodes joined by one scale-up switch.")

    def network(self, hosts: Hosts) -> Network:
        """A scale-up switch for every domain beside the leaf-spine of all nodes."""
        graph = new_graph(hosts.num_hosts)
        for host in range(hosts.num_hosts):
            switch, latency_s = f"domain {host // self.nodes_per_domain}", hosts.scale_up_latency_s / 2
            add_cable(graph, host, switch, hosts.scale_up_bytes_per_s, latency_s, SCALE_UP_COST)
        tops = self.join_leaves(graph, hosts, "Raise radix")
        return network_of(graph, hosts.num_hosts, tops, hosts_forward=False)
