"""The way of a store's bytes over the fabric: every node has a flow to or from the store's gateway."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import simpy

from dcsim.networks.flow import gather_flows, scatter_flows
from dcsim.sim.fabric.fabric import Fabric
from dcsim.sim.fabric.movement import Occupation

_LEAST_BYTES_PER_S = 1e-9  # a stream that a store all but stops still asks for its share of links


class FabricCarrier:
    """Carries transfers and streams of stores over a fabric whose network has a gateway of each store's name.

    All nodes of a stream have an equal part of it and wait for each other's: they are one bundle, as fast as
    its slowest way.
    """

    def __init__(self, fabric: Fabric) -> None:
        self._fabric = fabric

    def carry(
        self, nodes: Sequence[int], gateway: str, num_bytes: float, *, is_write: bool, label: str
    ) -> simpy.Event:
        """Send an equal part of the bytes between each node and the gateway; the event of their arrival."""
        part = num_bytes / len(nodes)
        flows = gather_flows(nodes, gateway, part) if is_write else scatter_flows(gateway, nodes, part)
        return self._fabric.transfer(flows, label)

    def stream(
        self,
        nodes: Sequence[int],
        gateway: str,
        bytes_per_s: float,
        *,
        label: str,
        on_change: Callable[[float], None],
    ) -> FabricCrossing:
        """Send an equal part of a rate from the gateway to each node until it is released."""

        def occupy(rate: float) -> Occupation:
            of_node = rate / len(nodes)
            return self._fabric.occupy(scatter_flows(gateway, nodes, of_node, of_node), label, on_change)

        return FabricCrossing(self._fabric, occupy, bytes_per_s)


class FabricCrossing:
    """A stream on the fabric, which may ask for another rate."""

    def __init__(self, fabric: Fabric, occupy: Callable[[float], Occupation], bytes_per_s: float) -> None:
        self._fabric, self._occupy = fabric, occupy
        self._bytes_per_s = max(bytes_per_s, _LEAST_BYTES_PER_S)
        self._occupation = occupy(self._bytes_per_s)

    @property
    def share_frac(self) -> float:
        """What it gets of what it asks for."""
        return self._occupation.share_frac

    def ask(self, bytes_per_s: float) -> None:
        """Ask for another rate from now on; until the fabric has shared anew, it has the rate that it had."""
        had = self._bytes_per_s * self._occupation.share_frac
        self._fabric.release(self._occupation)
        self._bytes_per_s = max(bytes_per_s, _LEAST_BYTES_PER_S)
        self._occupation = self._occupy(self._bytes_per_s)
        self._occupation.share_frac = min(1.0, had / self._bytes_per_s)

    def release(self) -> None:
        """End it."""
        self._fabric.release(self._occupation)
