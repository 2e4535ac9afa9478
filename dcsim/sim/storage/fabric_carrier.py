"""The way of a store's bytes over the fabric: every node has a flow to or from the store's gateway."""

from __future__ import annotations

from collections.abc import Sequence

import simpy

from dcsim.networks.flow import gather_flows, scatter_flows
from dcsim.sim.fabric.fabric import Fabric


class FabricCarrier:
    """Carries transfers of stores over a fabric whose network has a gateway of each store's name."""

    def __init__(self, fabric: Fabric) -> None:
        self._fabric = fabric

    def carry(
        self, nodes: Sequence[int], gateway: str, num_bytes: float, *, is_write: bool, label: str
    ) -> simpy.Event:
        """Send an equal part of the bytes between each node and the gateway; the event of their arrival."""
        part = num_bytes / len(nodes)
        flows = gather_flows(nodes, gateway, part) if is_write else scatter_flows(gateway, nodes, part)
        return self._fabric.transfer(flows, label)
