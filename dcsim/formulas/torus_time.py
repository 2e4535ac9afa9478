"""Collectives on a torus of accelerators (TPU), with and without wrap-around, and over several slices."""

from __future__ import annotations

import math
from dataclasses import replace

from dcsim.formulas.group_network import Collective, GroupNetwork, large_message_bytes_per_s


def torus_time_s(kind: Collective, network: GroupNetwork, num_ranks: int, num_bytes: float) -> float:
    """Time of a collective over the axes of a torus, and between slices where the group spans several.

    An axis that wraps around gives each chip two links, else one counts: a line is as slow as its ends. An
    all-gather or reduce-scatter of V bytes takes V (n-1)/n over the links of all axes at once, an all-reduce
    both; an all-to-all of S per rank on a ring of X chips loads each link with X S / 8, on a line with
    X S / 4, and the longest axis counts (jax-ml, "How To Scale Your Model", 2025, chapter 3: V / (D W) with
    both directions in W, twice that, and a quarter of a gather). Each hop adds its latency; the farthest
    chip is half-way round. Slices exchange what is left over the data-centre network, one after the other.

    Example: 16 chips of TPU v5e in a ring, 45 GB/s each way, gather 90 MB in 15/16 x 90e6 / 90e9 = 0.94 ms.
    """
    num_chips = math.prod(network.torus_axes)
    num_slices = -(-num_ranks // num_chips)
    wire = network.scale_up
    if kind is Collective.SEND and num_slices == 1:
        return wire.base_s + wire.hop_s + num_bytes / large_message_bytes_per_s(wire)
    inside_s = _inside_s(kind, network, num_ranks, num_bytes) if num_chips > 1 else 0.0
    return inside_s + (_between_s(kind, network, num_slices, num_chips, num_bytes) if num_slices > 1 else 0.0)


def _inside_s(kind: Collective, network: GroupNetwork, num_ranks: int, num_bytes: float) -> float:
    """The part on the torus: of an all-reduce, the reduce-scatter and the all-gather."""
    wire = network.scale_up
    bandwidth = large_message_bytes_per_s(wire)
    num_chips = math.prod(network.torus_axes)
    links = [_links(axis, network) for axis in network.torus_axes if axis > 1]
    hops = sum(axis // 2 if _is_ring(axis, network) else axis - 1 for axis in network.torus_axes)
    if kind is Collective.SEND:
        return 0.0
    if kind is Collective.ALL_TO_ALL:
        share = num_chips / num_ranks
        worst = max(
            axis * axis // 4 / axis / _links(axis, network) for axis in network.torus_axes if axis > 1
        )
        return wire.base_s + hops * wire.hop_s + share * num_bytes * worst / bandwidth
    rounds = 2 if kind is Collective.ALL_REDUCE else 1
    volume = 1.0 if kind is Collective.BROADCAST else (num_chips - 1) / num_chips
    return wire.base_s + rounds * (hops * wire.hop_s + num_bytes * volume / (sum(links) * bandwidth))


def _between_s(
    kind: Collective, network: GroupNetwork, num_slices: int, num_chips: int, num_bytes: float
) -> float:
    """The part between slices: a chip handles its share of the message, with its counterparts elsewhere."""
    wire = network.scale_out
    bandwidth = large_message_bytes_per_s(wire) * network.scale_out_share_frac
    if kind is Collective.SEND:
        return wire.base_s + wire.hop_s + num_bytes / bandwidth
    remote = (num_slices - 1) / num_slices
    rounds = 2 if kind is Collective.ALL_REDUCE else 1
    volume = remote if kind is Collective.ALL_TO_ALL else rounds * remote / num_chips
    levels = rounds * math.log2(num_slices)
    return wire.base_s + levels * wire.hop_s + num_bytes * volume / bandwidth


def _is_ring(axis: int, network: GroupNetwork) -> bool:
    return network.has_wraparound and axis > 2


def _links(axis: int, network: GroupNetwork) -> int:
    """Links of a chip along an axis that a collective can use at once. Two chips share one."""
    return 2 if _is_ring(axis, network) else 1


def without_wraparound(network: GroupNetwork) -> GroupNetwork:
    """The same torus cut open: a mesh."""
    return replace(network, has_wraparound=False)
