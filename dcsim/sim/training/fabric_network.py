"""A training job's collectives on the fabric: who sends to whom, for as long as it computes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from dcsim.formulas.training.traffic import Direction, Pattern
from dcsim.networks.flow import FlowBundle
from dcsim.sim.fabric.fabric import Fabric
from dcsim.sim.fabric.movement import Occupation as FabricOccupation
from dcsim.sim.training.step_source import Occupation
from dcsim.spec.training_deployment import TrainingDeployment

_LEAST_SHARE_FRAC = 1e-9  # without a way a step takes for ever: about, so that a repair can cut it short
_LEAST_CHANGE_FRAC = 0.005  # of the share: smaller changes do not end a jump
_MAX_PARTNERS = 16  # of an all-to-all that one node has flows to: beyond, evenly spread ones carry it all


class FabricNetwork:
    """What one job asks of the fabric: its bytes of a step, in bursts between stretches of computing.

    To others the job is a load of its bytes over the time of a step. Its own pace goes by what its bursts
    find: T ~ sum of bytes / share over its patterns, so that the share of all is the harmonic mean by bytes.
    """

    def __init__(self, fabric: Fabric, job: str, deployment: TrainingDeployment) -> None:
        hardware = deployment.hardware
        per_node = min(hardware.num_per_node, deployment.num_accelerators)
        nodes_per_domain = max(1, hardware.network.domain_size // hardware.num_per_node)
        self._fabric, self._job = fabric, job
        self._patterns = deployment.scale_out
        self._step_s, self._per_node = deployment.step().total_s, per_node
        self._nodes_per_domain = nodes_per_domain

    def occupy(self, nodes: Sequence[int], on_change: Callable[[float], None]) -> Occupation:
        """Use the fabric between these nodes until released."""
        held = _Held(self._fabric, on_change)
        for pattern in self._patterns:
            num_bytes = pattern.num_bytes * self._per_node
            bundle = pattern_flows(nodes, pattern, num_bytes, self._step_s, self._nodes_per_domain)
            if bundle is not None:
                held.add(bundle, self._job, num_bytes)
        return held


class _Held:
    """The occupations of a job, one for each pattern."""

    def __init__(self, fabric: Fabric, on_change: Callable[[float], None]) -> None:
        self._fabric, self._on_change = fabric, on_change
        self._parts: list[tuple[float, FabricOccupation]] = []

    def add(self, bundle: FlowBundle, label: str, num_bytes: float) -> None:
        """Occupy the fabric with one pattern more."""
        part = self._fabric.occupy_in_bursts(
            [bundle], label, self._tell, least_change_frac=_LEAST_CHANGE_FRAC
        )
        self._parts.append((num_bytes, part))

    @property
    def share_frac(self) -> float:
        """What the job's bursts find of the rate that its nodes have."""
        whole = sum(num_bytes for num_bytes, _ in self._parts)
        slowed = sum(size / max(part.share_frac, _LEAST_SHARE_FRAC) for size, part in self._parts)
        return max(whole / slowed, _LEAST_SHARE_FRAC) if slowed else 1.0

    def release(self) -> None:
        """End it."""
        for _, part in self._parts:
            self._fabric.release(part)

    def _tell(self, _share_frac: float) -> None:
        self._on_change(self.share_frac)


def pattern_flows(
    nodes: Sequence[int], pattern: Pattern, num_bytes: float, step_s: float, nodes_per_domain: int
) -> FlowBundle | None:
    """The flows of one pattern, of which every node sends ``num_bytes`` in a step; None if none leaves.

    Domains are consecutive nodes; a node sends to the node of its own place in the other domains.
    """
    stride, size = pattern.stride * nodes_per_domain, pattern.num_domains
    num_partners = 1 if pattern.direction is Direction.NEXT else min(size - 1, _MAX_PARTNERS)
    if size < 2:
        return None
    places = np.arange(len(nodes))[:, np.newaxis]
    ahead = 1 + np.arange(num_partners) * (size - 1) // num_partners
    start, index = places - places % (stride * size), places % (stride * size) // stride
    others = start + (index + ahead) % size * stride + places % stride
    rows, columns = np.nonzero(others < len(nodes))  # a gang that has shrunk lacks the last ones
    if not len(rows):
        return None
    numbers = np.asarray(nodes)
    sources, destinations = numbers[rows].tolist(), numbers[others[rows, columns]].tolist()
    per_flow = num_bytes / num_partners
    return FlowBundle(tuple(sources), tuple(destinations), per_flow, per_flow / step_s)
