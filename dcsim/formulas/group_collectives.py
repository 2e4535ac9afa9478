"""Collectives of a group of ranks that spans scale-up domains: hierarchical, with latency and bandwidth terms."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from dcsim.formulas.collectives import IN_NETWORK_EFFICIENCY, RAMP_S_PER_SQRT_BYTE
from dcsim.formulas.deployment import Wire
from dcsim.formulas.roofline import Floats


class Collective(StrEnum):
    """What a group of ranks does together. Sizes are the full message S of nccl-tests."""

    ALL_REDUCE = "all_reduce"
    ALL_GATHER = "all_gather"
    REDUCE_SCATTER = "reduce_scatter"
    ALL_TO_ALL = "all_to_all"
    BROADCAST = "broadcast"
    SEND = "send"


@dataclass(frozen=True, slots=True)
class GroupNetwork:
    """What a group of ranks talks over: the wires per accelerator, inside a scale-up domain and between them.

    ``scale_out.bytes_per_s`` is an accelerator's share of its node's ports; contention leaves it
    ``scale_out_share_frac``. On a TPU torus, ``torus_axes`` are the sizes of the axes that the group spans
    and ``scale_up`` is one link of the torus.
    """

    scale_up: Wire
    scale_out: Wire
    domain_size: int
    torus_axes: tuple[int, ...] = ()
    scale_out_share_frac: float = 1.0


def collective_time(
    kind: Collective, network: GroupNetwork, num_ranks: int, ranks_per_domain: int, num_bytes: Floats
) -> Floats:
    """Time in which ``num_ranks`` ranks, ``ranks_per_domain`` in each scale-up domain, move ``num_bytes``.

    ``num_bytes`` is the full message S as nccl-tests counts it: of an all-gather, all that is gathered.
    """
    if isinstance(num_bytes, np.ndarray):
        times = [
            collective_time(kind, network, num_ranks, ranks_per_domain, float(s)) for s in num_bytes.flat
        ]
        return np.array(times, dtype=float).reshape(num_bytes.shape)
    if num_ranks <= 1 or num_bytes <= 0.0:
        return 0.0
    inner = min(ranks_per_domain, num_ranks)
    outer = -(-num_ranks // inner)
    if kind is Collective.SEND:
        return _send_s(network, num_ranks, inner, num_bytes)
    phases = 2.0 if kind is Collective.ALL_REDUCE else 1.0
    latency, inside_s, between_s = 0.0, 0.0, 0.0
    if inner > 1:
        volume = phases * _moved_frac(kind, num_ranks, inner)
        if kind is Collective.ALL_REDUCE and network.scale_up.has_in_network_reduction and outer == 1:
            volume = min(volume, (inner + 1) / inner / IN_NETWORK_EFFICIENCY)
        inside_s = num_bytes * volume / _bandwidth(network.scale_up)
        latency += phases * (inner - 1) * network.scale_up.hop_s
    if outer > 1:
        volume = phases * (num_ranks - inner) / num_ranks / (1 if kind is Collective.ALL_TO_ALL else inner)
        between_s = num_bytes * volume / (_bandwidth(network.scale_out) * network.scale_out_share_frac)
        latency += phases * math.log2(outer) * network.scale_out.hop_s
    base = network.scale_out.base_s if outer > 1 else network.scale_up.base_s
    return base + latency + max(inside_s, between_s) + RAMP_S_PER_SQRT_BYTE * math.sqrt(num_bytes)


def _moved_frac(kind: Collective, num_ranks: int, inner: int) -> float:
    """Share of the message that each rank sends inside its domain."""
    return (inner - 1) / (num_ranks if kind is Collective.ALL_TO_ALL else inner)


def _send_s(network: GroupNetwork, num_ranks: int, inner: int, num_bytes: float) -> float:
    if inner >= num_ranks:
        wire, share = network.scale_up, 1.0
    else:
        wire, share = network.scale_out, network.scale_out_share_frac
    return wire.base_s + wire.hop_s + num_bytes / (_bandwidth(wire) * share)


def _bandwidth(wire: Wire) -> float:
    return wire.bytes_per_s * wire.achievable_frac
