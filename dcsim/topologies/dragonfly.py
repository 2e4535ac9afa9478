"""Dragonfly: groups of fully joined routers, every two groups joined directly."""

from __future__ import annotations

from itertools import combinations

from pydantic import Field

from dcsim.networks.graph import Hosts, add_cable, network_of, new_graph
from dcsim.networks.network import Network
from dcsim.networks.topology import Topology, refuse


class Dragonfly(Topology):
    """Kim, Dally, Scott and Abts, "Technology-Driven, Highly-Scalable Dragonfly Topology", ISCA 2008.

    ``routers_per_group`` a, ``hosts_per_router`` p and ``global_links`` h of each router; balanced where
    a = 2p = 2h, with at most a h + 1 groups. Paths are minimal: local, global, local. Detours through a third
    group (Valiant) are not modelled: between two groups that send to each other alone, the direct cables are
    the limit. Router ports carry what all ports of a host carry.
    """

    hosts_per_router: int = Field(default=4, gt=0, le=1024, description="Hosts of a router, p.")
    routers_per_group: int | None = Field(
        default=None, gt=0, le=1024, description="Routers of a group, a; 2p if left out."
    )
    global_links: int | None = Field(
        default=None, gt=0, le=1024, description="Cables of a router to other groups, h; p if left out."
    )

    def network(self, hosts: Hosts) -> Network:
        """Groups filled with hosts one after another."""
        size = self.routers_per_group or 2 * self.hosts_per_router
        num_global = self.global_links or self.hosts_per_router
        num_groups = -(-hosts.num_hosts // (self.hosts_per_router * size))
        if num_groups > size * num_global + 1:
            message = f"needs {num_groups} groups, more than routers x global_links + 1"
            raise refuse(message, size * num_global + 1, "Raise hosts_per_router or global_links")
        graph = new_graph(hosts.num_hosts)
        routers = [[f"router {group}.{number}" for number in range(size)] for group in range(num_groups)]
        for host in range(hosts.num_hosts):
            group, inside = divmod(host, self.hosts_per_router * size)
            router = routers[group][inside // self.hosts_per_router]
            add_cable(graph, host, router, hosts.bytes_per_s, hosts.latency_s / 2)
        for group in range(num_groups):
            for one, other in combinations(routers[group], 2):
                add_cable(graph, one, other, hosts.bytes_per_s)
        for (group, near), (partner, far) in global_cables(num_groups, size, num_global):
            add_cable(graph, routers[group][near], routers[partner][far], hosts.bytes_per_s)
        tops = tuple(router for group in routers for router in group)
        return network_of(graph, hosts.num_hosts, tops, hosts_forward=False)


def global_cables(
    num_groups: int, size: int, num_global: int
) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """The cables between groups, as pairs of (group, router): equally many between every two groups.

    Channel c of a group belongs to router c // h and leads to the group c + 1 further on, round and round.
    """
    if num_groups < 2:
        return []
    cables = []
    for lap in range(size * num_global // (num_groups - 1)):
        for group in range(num_groups):
            for offset in range(1, num_groups - group):
                forth, back = lap * (num_groups - 1) + offset - 1, (lap + 1) * (num_groups - 1) - offset
                cables.append(((group, forth // num_global), (group + offset, back // num_global)))
    return cables
