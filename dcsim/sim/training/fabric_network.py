"""A training job's collectives on the fabric: a ring through its nodes for as long as it computes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from dcsim.networks.flow import ring_flows
from dcsim.sim.fabric.fabric import Fabric
from dcsim.sim.fabric.movement import Occupation as FabricOccupation
from dcsim.sim.training.step_source import Occupation

_LEAST_SHARE_FRAC = 1e-9  # without a way a step takes for ever: about, so that a repair can cut it short

_LEAST_CHANGE_FRAC = 0.005  # of the share: smaller changes do not end a jump


class FabricNetwork:
    """What one job asks of the fabric: its bytes of a step, in bursts between stretches of computing.

    Each node sends to the next; bytes that its collectives move between other pairs load the same ports. To
    others the job is a load of its bytes over the time of a step; its own pace goes by what a burst finds.
    """

    def __init__(self, fabric: Fabric, job: str, bytes_per_node: float, step_s: float) -> None:
        self._fabric, self._job = fabric, job
        self._bytes_per_node, self._bytes_per_s = bytes_per_node, bytes_per_node / step_s

    def occupy(self, nodes: Sequence[int], on_change: Callable[[float], None]) -> Occupation:
        """Use the fabric between these nodes until released."""
        flows = ring_flows(nodes, self._bytes_per_node, self._bytes_per_s) if self._bytes_per_node else ()
        held = self._fabric.occupy_in_bursts(
            flows, self._job, on_change, least_change_frac=_LEAST_CHANGE_FRAC
        )
        return _Held(self._fabric, held)


class _Held:
    """An occupation that knows its fabric."""

    def __init__(self, fabric: Fabric, occupation: FabricOccupation) -> None:
        self._fabric, self._occupation = fabric, occupation

    @property
    def share_frac(self) -> float:
        """What the job gets of what it asks for."""
        return max(self._occupation.share_frac, _LEAST_SHARE_FRAC)

    def release(self) -> None:
        """End it."""
        self._fabric.release(self._occupation)
