"""Torus: every node joined to its neighbours along each axis, with the ends joined or not."""

from __future__ import annotations

import math

from pydantic import Field

from dcsim.networks.graph import Hosts, add_cable, network_of, new_graph
from dcsim.networks.network import LAST_RESORT_COST, Network
from dcsim.networks.topology import Topology, refuse
from dcsim.units import BytesPerSecond

HUB = "data-centre network"


class Torus(Topology):
    """Nodes in a grid; node numbers count along the last axis first. Nodes pass on what is not for them.

    A TPU pod is one, of chips or of hosts with several chips. The cables are the node's scale-up link unless
    ``bandwidth`` says otherwise. Scale-out ports lead to a switch for storage and other pods only. Where
    ``wrap`` leaves ends open, collectives of training jobs count one link of a chip along that axis, not two.
    """

    axes: list[int] = Field(
        min_length=1, max_length=6, description="Nodes along each axis, such as [4, 4, 8]."
    )
    wrap: bool | list[bool] = Field(
        default=True, description="Whether the ends of an axis are joined; one value, or one for each axis."
    )
    bandwidth_bytes_per_s: BytesPerSecond | None = Field(
        default=None,
        alias="bandwidth",
        description="Rate of a cable per direction; the node's scale-up link if left out.",
    )

    @property
    def axis_wraps(self) -> list[bool]:
        """Whether the ends of each axis are joined."""
        return self.wrap if isinstance(self.wrap, list) else [self.wrap] * len(self.axes)

    def network(self, hosts: Hosts) -> Network:
        """The grid; its sizes must multiply to the number of nodes."""
        if any(size < 1 for size in self.axes) or math.prod(self.axes) != hosts.num_hosts:
            message = f"must multiply to the number of nodes, {hosts.num_hosts}"
            raise refuse(message, self.axes, "Change axes, or num_nodes", "axes")
        wraps = self.axis_wraps
        if len(wraps) != len(self.axes):
            raise refuse(f"must have one value for each of {len(self.axes)} axes", wraps, "", "wrap")
        graph = new_graph(hosts.num_hosts)
        rate = self.bandwidth_bytes_per_s or hosts.scale_up_bytes_per_s
        for axis, (size, does_wrap) in enumerate(zip(self.axes, wraps, strict=True)):
            stride = math.prod(self.axes[axis + 1 :])
            for host in range(hosts.num_hosts):
                place = host // stride % size
                if place + 1 < size:
                    add_cable(graph, host, host + stride, rate, hosts.scale_up_latency_s)
                elif does_wrap and size > 2:
                    add_cable(graph, host, host - place * stride, rate, hosts.scale_up_latency_s)
        for host in range(hosts.num_hosts):
            add_cable(graph, host, HUB, hosts.bytes_per_s, hosts.latency_s / 2, LAST_RESORT_COST)
        return network_of(graph, hosts.num_hosts, (HUB,), hosts_forward=True)
