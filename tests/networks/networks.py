"""Small networks of every topology."""

from __future__ import annotations

from dcsim.networks.graph import Hosts
from dcsim.networks.network import Network
from dcsim.networks.topology import Topology
from dcsim.topologies.dragonfly import Dragonfly
from dcsim.topologies.edge_list import EdgeList
from dcsim.topologies.fat_tree import FatTree
from dcsim.topologies.leaf_spine import LeafSpine
from dcsim.topologies.rail_optimized import RailOptimized
from dcsim.topologies.scale_up_domain import ScaleUpDomain
from dcsim.topologies.torus import Torus

NUM_HOSTS = 16
RING = [{"from": f"s{n}", "to": f"s{(n + 1) % 4}", "bandwidth": "200 Gbit/s"} for n in range(4)]
STARS = [{"from": f"node{n}", "to": f"s{n % 4}", "bandwidth": "400 Gbit/s"} for n in range(NUM_HOSTS)]


def hosts(num_hosts: int = NUM_HOSTS, num_ports: int = 2, latency_s: float = 0.0) -> Hosts:
    """Ports of 1 B/s, so that rates are shares; a scale-up link of 10."""
    return Hosts(num_hosts, num_ports, 1.0, latency_s, 10.0, 0.0)


TOPOLOGIES: dict[str, Topology] = {
    "leaf_spine": LeafSpine(radix=8),
    "fat_tree": FatTree(radix=4),
    "rail_optimized": RailOptimized(radix=8),
    "dragonfly": Dragonfly(hosts_per_router=2, routers_per_group=2, global_links=2),
    "torus": Torus(axes=[4, 2, 2]),
    "mesh": Torus(axes=[4, 4], wrap=False),
    "scale_up_domain": ScaleUpDomain(radix=8, nodes_per_domain=4),
    "edge_list": EdgeList.model_validate({"cables": [*STARS, *RING]}),
}


def network(name: str) -> Network:
    """The topology of that name with 16 hosts."""
    return TOPOLOGIES[name].network(hosts())
