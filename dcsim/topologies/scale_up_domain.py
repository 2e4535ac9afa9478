"""Scale-up domains: nodes joined by NVLink switches as in an NVL72 rack, the racks by a leaf-spine."""

from __future__ import annotations

from pydantic import Field

from dcsim.networks.clos import Clos, join_tiers, leaves_of
from dcsim.networks.graph import Hosts, add_cable, network_of, new_graph
from dcsim.networks.network import SCALE_UP_COST, Network
from dcsim.networks.topology import refuse


class ScaleUpDomain(Clos):
    """Nodes of one domain talk over its switch at the scale-up rate; the domains over leaves and spines.

    A GB200 NVL72 rack is 18 compute trays of four GPUs: nodes gb200-compute-tray, ``nodes_per_domain: 18``.
    """

    nodes_per_domain: int = Field(default=18, gt=1, description="Nodes joined by one scale-up switch.")

    def network(self, hosts: Hosts) -> Network:
        """A scale-up switch for every domain beside the leaf-spine of all nodes."""
        ports = self.leaf_ports(hosts)
        groups = leaves_of(hosts.num_hosts, ports.num_down)
        if len(groups) > self.radix:
            message = f"needs {len(groups)} leaves, more than the ports of a spine"
            raise refuse(message, self.radix, "Raise radix", "radix")
        graph = new_graph(hosts.num_hosts)
        for host in range(hosts.num_hosts):
            switch, latency_s = f"domain {host // self.nodes_per_domain}", hosts.scale_up_latency_s / 2
            add_cable(graph, host, switch, hosts.scale_up_bytes_per_s, latency_s, SCALE_UP_COST)
        leaves = [f"leaf {number}" for number in range(len(groups))]
        spines = [f"spine {number}" for number in range(ports.num_up)] if len(leaves) > 1 else []
        for leaf, group in zip(leaves, groups, strict=True):
            for host in group:
                add_cable(graph, host, leaf, hosts.bytes_per_s, hosts.latency_s / 2)
        uplink_bytes_per_s = ports.num_down * hosts.bytes_per_s / self.oversubscription / ports.num_up
        join_tiers(graph, leaves, spines, uplink_bytes_per_s)
        return network_of(graph, hosts.num_hosts, tuple(spines or leaves), hosts_forward=False)
