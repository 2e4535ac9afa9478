"""The fabric section: topology, link and routing of the network between nodes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from dcsim.catalog.link import Link
from dcsim.catalog.loader import load_entry
from dcsim.catalog.node import Node
from dcsim.errors import Problem, ScenarioError
from dcsim.formulas.network.incast import IncastPenalty
from dcsim.networks.graph import Hosts
from dcsim.networks.network import Network
from dcsim.networks.topology import TOPOLOGIES, Topology
from dcsim.plugins import PolicyFrom
from dcsim.policies.routing import ROUTINGS, Routing
from dcsim.policies.routings.ecmp import Ecmp
from dcsim.spec.reference import Reference
from dcsim.spec.section import Section
from dcsim.topologies.leaf_spine import LeafSpine
from dcsim.topologies.torus import Torus
from dcsim.units import Fraction, PositiveSeconds, Ratio, Seconds
from dcsim.validation import nearest


class Incast(Section):
    """What a port loses when more flows end at it than it can take: an assumption to explore with."""

    max_fan_in: int = Field(default=64, gt=0, description="Flows that may end at a port without loss.")
    lost_frac: Fraction = Field(
        default=0.1, alias="loss", lt=1, description="Part of the port's rate that is lost beyond that."
    )

    @property
    def penalty(self) -> IncastPenalty:
        """The numbers for the formula."""
        return IncastPenalty(self.max_fan_in, self.lost_frac)


class PlannedOutage(Section):
    """A switch or a cable that is out of service for a while."""

    switch: str | None = Field(
        default=None, min_length=1, description="Switch, such as 'spine 0'; all its cables go with it."
    )
    cable: list[str] | None = Field(
        default=None, min_length=2, max_length=2, description="Two ends: all cables between them."
    )
    at_s: Seconds = Field(alias="at", description="When it begins.")
    duration_s: PositiveSeconds = Field(alias="duration", description="How long it takes.")

    @model_validator(mode="after")
    def _names_one(self) -> Self:
        if (self.switch is None) == (self.cable is None):
            raise PydanticCustomError("outage", "needs a switch or a cable, not both")
        return self


class ChanceOutages(Section):
    """Switches and cables that fail by chance, with exponential times; nodes fail as reliability says."""

    switch_mtbf_s: PositiveSeconds | None = Field(
        default=None,
        alias="switch_mtbf",
        description="Mean time between failures of a switch; none if left out.",
    )
    cable_mtbf_s: PositiveSeconds | None = Field(
        default=None,
        alias="cable_mtbf",
        description="Mean time between failures of a cable; none if left out.",
    )
    repair_s: PositiveSeconds = Field(alias="repair", description="Mean time to repair either.")


class FabricSpec(Section):
    """The network between nodes. Left out, transfers share nothing and links are never full."""

    topology: Annotated[Topology, PolicyFrom(TOPOLOGIES)] = Field(
        default=LeafSpine(),
        description="leaf_spine, fat_tree, rail_optimized, dragonfly, torus, scale_up_domain or edge_list.",
    )
    link: Annotated[Link, Reference("links")] | None = Field(
        default=None,
        description="Link of each port; the node's scale-out link if left out. One that is faster speeds up "
        "transfers alone: steps are timed by the node's.",
    )
    rails: int | None = Field(
        default=None, gt=0, le=1024, description="Ports of each node; the node's NICs if left out."
    )
    oversubscription: Ratio | None = Field(
        default=None, gt=0, description="Oversubscription at the leaves, short for the topology's own option."
    )
    routing: Annotated[Routing, PolicyFrom(ROUTINGS)] = Field(
        default=Ecmp(), description="Choice among equal ways: ecmp, static or spray."
    )
    batching_frac: Fraction = Field(
        default=0.0,
        alias="batching",
        lt=1,
        description="How long rates stay as they are after a flow ends, as part of its duration; 0 is exact.",
    )
    incast: Incast | None = Field(
        default=None, description="Loss at ports where many flows end: an estimate; none if left out."
    )

    outages: list[PlannedOutage] = Field(default=[], max_length=10_000, description="Known outages.")
    failures: ChanceOutages | None = Field(
        default=None, description="Failures of switches and cables by chance; none if left out."
    )

    @property
    def whole_topology(self) -> Topology:
        """The topology with the section's oversubscription. Raises ScenarioError if it knows of none."""
        if self.oversubscription is None:
            return self.topology
        if "oversubscription" not in type(self.topology).model_fields:
            remedy = "Remove it: the topology has no leaves"
            path = "cluster.fabric.oversubscription"
            raise ScenarioError(Problem("does not apply", path, self.oversubscription, remedy))
        return self.topology.model_copy(update={"oversubscription": self.oversubscription})


def resolve_network(
    fabric: FabricSpec,
    node: Node,
    num_nodes: int,
    *,
    folder: Path = Path(),
    gateway_bytes_per_s: Mapping[str, float] | None = None,
) -> Network:
    """The network of a cluster's nodes, with a gateway for each store that is named.

    Parameters
    ----------
    folder
        Where the file of an edge list is named from: that of the scenario.
    gateway_bytes_per_s
        Rate of each store's port, by the store's name.

    Raises
    ------
    ScenarioError
        Where the topology has no room for the nodes, two of them cannot reach each other, or an outage names
        what is not there.
    """
    hosts = _hosts(fabric, node, num_nodes, folder)
    network = fabric.whole_topology.network(hosts)
    for name, bytes_per_s in (gateway_bytes_per_s or {}).items():
        if not bytes_per_s > 0:
            path = f"cluster.storage.{name}"
            raise ScenarioError(Problem("has no bandwidth", path, bytes_per_s, "Give it servers"))
        network = network.with_gateway(name, bytes_per_s, hosts.latency_s)
    for number, outage in enumerate(fabric.outages):
        outage_cables(network, outage, number)
    return network


def torus_wraps(fabric: FabricSpec) -> tuple[bool, ...] | None:
    """Which axes of a torus have their ends joined, the shortest first; None of any other topology."""
    if not isinstance(fabric.topology, Torus):
        return None
    sizes, wraps = fabric.topology.axes, fabric.topology.axis_wraps
    return tuple(does_wrap for _, does_wrap in sorted(zip(sizes, wraps, strict=False)))


def _hosts(fabric: FabricSpec, node: Node, num_nodes: int, folder: Path) -> Hosts:
    """The nodes as a topology joins them."""
    outer, inner = fabric.link or _link(node.scale_out), _link(node.scale_up)
    return Hosts(
        num_hosts=num_nodes,
        num_ports=fabric.rails or node.num_nics,
        port_bytes_per_s=outer.bytes_per_s * outer.achievable_frac,
        latency_s=outer.hop_s,
        scale_up_bytes_per_s=node.num_accelerators * inner.bytes_per_s * inner.achievable_frac,
        scale_up_latency_s=inner.hop_s,
        folder=folder,
    )


def outage_cables(network: Network, outage: PlannedOutage, number: int = 0) -> tuple[int, ...]:
    """The cables that an outage takes along. Raises ScenarioError if the network has none of the name."""
    ends = [outage.switch] if outage.switch is not None else list(outage.cable or ())
    path = f"cluster.fabric.outages.{number}.{'cable' if outage.switch is None else 'switch'}"
    for name in ends:
        if name not in network.names:
            raise ScenarioError(
                Problem("no such part of the fabric", path, name, nearest(name, network.names))
            )
    cables = network.cables_of(ends[0]) if len(ends) == 1 else network.cables_between(*ends)
    if not cables:
        raise ScenarioError(Problem("no cable joins these", path, " and ".join(ends)))
    return cables


def _link(name: str) -> Link:
    entry = load_entry("links", name)
    assert isinstance(entry, Link)
    return entry
