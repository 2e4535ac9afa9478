"""A training job's collectives on the fabric: who sends to whom, for as long as it computes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from dcsim.formulas.training.step import StepCondition
from dcsim.sim.fabric.fabric import Fabric
from dcsim.sim.fabric.movement import Occupation as FabricOccupation
from dcsim.sim.training.step_source import NetworkUse
from dcsim.spec.training.deployment import TrainingDeployment
from dcsim.spec.training.flows import LEAST_PACE_FRAC, MAX_PACE_ROUNDS, pattern_flows, port_frac

_LEAST_CHANGE_FRAC = 0.005  # of the share: smaller changes do not end a jump


class FabricNetwork:
    """What one job asks of the fabric: its bytes of a step, in bursts between stretches of computing.

    To others the job is a load of its bytes over the time of its present step. Its own pace goes by what its
    bursts find: T ~ sum of bytes / share over its patterns, so that the share of all is the harmonic mean by
    bytes.
    """

    def __init__(self, fabric: Fabric, job: str, deployment: TrainingDeployment) -> None:
        self._fabric, self._job, self._deployment = fabric, job, deployment

    def occupy(self, nodes: Sequence[int], on_change: Callable[[float], None]) -> NetworkUse:
        """Use the fabric between these nodes until released."""
        held = _Held(self._fabric, self._job, self._deployment, tuple(nodes), on_change)
        held.load()
        return held


class _Held:
    """The occupations of a job, one for each pattern."""

    def __init__(
        self,
        fabric: Fabric,
        job: str,
        deployment: TrainingDeployment,
        nodes: tuple[int, ...],
        on_change: Callable[[float], None],
    ) -> None:
        self._fabric, self._job, self._deployment = fabric, job, deployment
        self._nodes, self._on_change = nodes, on_change
        self._step_s = deployment.step().total_s
        network = fabric.network
        self._port_frac = port_frac(deployment, network.host_bytes_per_s(network.vertex(nodes[0])))
        self._delay_s = 0.0  # of a step, by anything but links that are full
        self._parts: list[tuple[float, FabricOccupation]] = []
        self._num_paced, self._paced_at_s = 0, math.nan

    def load(self) -> None:
        """Load the fabric with every pattern, at the pace of the present step."""
        hardware = self._deployment.hardware
        per_node = min(hardware.num_per_node, self._deployment.num_accelerators)
        nodes_per_domain = max(1, hardware.network.domain_size // hardware.num_per_node)
        for pattern in self._deployment.scale_out:
            num_bytes = pattern.num_bytes * per_node
            bundle = pattern_flows(self._nodes, pattern, num_bytes, self._step_s, nodes_per_domain)
            if bundle is not None:
                part = self._fabric.occupy_in_bursts(
                    [bundle], self._job, self._tell, least_change_frac=_LEAST_CHANGE_FRAC
                )
                self._parts.append((num_bytes, part))

    @property
    def share_frac(self) -> float:
        """What the job's bursts find of the rate that its nodes' NICs have; 0 while some have no way."""
        if any(part.share_frac == 0.0 for _, part in self._parts):
            return 0.0
        whole = sum(num_bytes for num_bytes, _ in self._parts)
        slowed = sum(size / part.share_frac for size, part in self._parts)
        return self._port_frac * whole / slowed if slowed else 1.0

    def follow(self, step_s: float) -> None:
        """Load the fabric as steps of this length do, whatever slows them down.

        A job that stands still altogether goes on asking for its share, so as to find it when it can go on.
        """
        share = self.share_frac
        if share > 0.0 and math.isfinite(step_s):
            self._delay_s = max(0.0, step_s - self._alone_s(share))
            self._pace(share)

    def release(self) -> None:
        """End it."""
        for _, part in self._parts:
            self._fabric.release(part)

    def _tell(self, _share_frac: float) -> None:
        share = self.share_frac
        if share > 0.0:
            self._pace(share)
        self._on_change(share)

    def _alone_s(self, share_frac: float) -> float:
        """A step that nothing but full links slows down."""
        return self._deployment.step(StepCondition(scale_out_share_frac=share_frac)).total_s

    def _pace(self, share_frac: float) -> None:
        """Load the fabric as a step of the present length does, where that has changed much.

        Jobs that slow each other down settle in a few rounds of one instant.
        """
        step_s = self._alone_s(share_frac) + self._delay_s
        if self._paced_at_s != self._fabric.now_s:
            self._num_paced, self._paced_at_s = 0, self._fabric.now_s
        if abs(step_s / self._step_s - 1.0) < LEAST_PACE_FRAC or self._num_paced >= MAX_PACE_ROUNDS:
            return
        self._step_s, self._num_paced = step_s, self._num_paced + 1
        shares = [part.share_frac for _, part in self._parts]
        self.release()
        self._parts = []
        self.load()
        for (_, part), share in zip(self._parts, shares, strict=True):
            part.share_frac = share  # until the fabric has worked out the new one
