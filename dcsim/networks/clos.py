"""Leaves and spines: how many ports of a switch go down and up, and the cables between two tiers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import Field

from dcsim.networks.graph import Hosts, add_cable
from dcsim.networks.topology import Topology, refuse
from dcsim.units import Ratio

if TYPE_CHECKING:
    import networkx


@dataclass(frozen=True, slots=True)
class LeafPorts:
    """How a leaf's ports are shared out between hosts and spines."""

    num_down: int
    num_up: int


class Clos(Topology):
    """Base of the topologies of leaves and spines: switches of one size, oversubscribed at the leaf."""

    radix: int = Field(default=64, ge=2, le=1024, description="Ports of a switch, of the link's rate each.")
    oversubscription: Ratio = Field(
        default=1.0,
        gt=0,
        description="Capacity towards the hosts over capacity towards the spines, at a leaf.",
    )
    hosts_per_leaf: int | None = Field(
        default=None,
        gt=0,
        description="Hosts at a leaf; as many as radix and oversubscription allow if left out.",
    )

    def leaf_ports(self, hosts: Hosts) -> LeafPorts:
        """The ports of a leaf. Raises ScenarioError where a leaf has too few."""
        if self.hosts_per_leaf is None:
            num_down = int(self.radix * self.oversubscription / (1 + self.oversubscription))
            num_down = min(max(num_down, 1), self.radix - 1)
        else:
            num_down = self.hosts_per_leaf
        wanted = num_down / self.oversubscription  # may be beyond all numbers
        num_up = max(round(min(wanted, self.radix)), 1)
        if num_up > self.radix - num_down:
            needed = f"{num_down} hosts and {max(wanted, 1.0):.3g} uplinks on a leaf"
            raise refuse(f"needs {needed}, more than the switch's ports", self.radix, "Raise radix", "radix")
        return LeafPorts(num_down, num_up)

    def join_leaves(self, graph: networkx.MultiGraph, hosts: Hosts, remedy: str) -> tuple[str, ...]:
        """Join all hosts to leaves, with all their ports, and these to spines; the switches on top.

        There are leaves of ``hosts_per_leaf``, and as many spines as a leaf has uplinks. Raises ScenarioError
        with the remedy where a spine has too few ports.
        """
        ports = self.leaf_ports(hosts)
        groups = leaves_of(hosts.num_hosts, ports.num_down)
        if len(groups) > self.radix:
            message = f"needs {len(groups)} leaves, more than the ports of a spine"
            raise refuse(message, self.radix, remedy, "radix")
        leaves = [f"leaf {number}" for number in range(len(groups))]
        spines = [f"spine {number}" for number in range(ports.num_up)] if len(leaves) > 1 else []
        for leaf, group in zip(leaves, groups, strict=True):
            for host in group:
                add_cable(graph, host, leaf, hosts.bytes_per_s, hosts.latency_s / 2)
        uplink_bytes_per_s = ports.num_down * hosts.bytes_per_s / self.oversubscription / ports.num_up
        join_tiers(graph, leaves, spines, uplink_bytes_per_s)
        return tuple(spines or leaves)


def leaves_of(num_hosts: int, hosts_per_leaf: int) -> list[range]:
    """The hosts of each leaf, in order."""
    return [
        range(first, min(first + hosts_per_leaf, num_hosts)) for first in range(0, num_hosts, hosts_per_leaf)
    ]


def join_tiers(
    graph: networkx.MultiGraph, lower: Sequence[str], upper: Sequence[str], bytes_per_s: float
) -> None:
    """A cable from every switch below to every switch above."""
    for one in lower:
        for other in upper:
            add_cable(graph, one, other, bytes_per_s)
