"""Who sends to whom: the flows of a training job's collectives between its nodes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dcsim.formulas.network.group_network import large_message_bytes_per_s
from dcsim.formulas.training.traffic import Direction, Pattern
from dcsim.networks.flow import FlowBundle
from dcsim.spec.training.deployment import TrainingDeployment

LEAST_PACE_FRAC = 0.05  # of a step: smaller changes leave the job's load on the fabric as it is
MAX_PACE_ROUNDS = 4  # of a step that changes the load that changes the step
_ROUNDING = 1e-9
_MAX_PARTNERS = 16  # of an all-to-all that one node has flows to: beyond, evenly spread ones carry it all


def port_frac(deployment: TrainingDeployment, host_bytes_per_s: float) -> float:
    """What a node's ports on the fabric carry of the rate that steps are timed with, that of its own NICs.

    1 where they carry as much or more, and where nodes have no ports to other domains.
    """
    wire, num_per_node = deployment.hardware.network.scale_out, deployment.hardware.num_per_node
    own = large_message_bytes_per_s(wire) * num_per_node
    is_narrow = 0.0 < host_bytes_per_s < own * (1.0 - _ROUNDING)
    return host_bytes_per_s / own if is_narrow else 1.0


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
