"""Collectives on a torus of accelerators (TPU), with and without wrap-around, and over several slices."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from dcsim.formulas.network.group_network import Collective, GroupNetwork, large_message_bytes_per_s


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
    axes = [(size, _is_ring(size, wraps)) for size, wraps in _axes(network) if size > 1]
    num_links = sum(2 if is_ring else 1 for _, is_ring in axes)  # of a chip, that serve at once
    hops = sum(size // 2 if is_ring else size - 1 for size, is_ring in axes)
    if kind is Collective.SEND:
        return 0.0
    if kind is Collective.ALL_TO_ALL:
        share = num_chips / num_ranks
        worst = max(size * size // 4 / size / (2 if is_ring else 1) for size, is_ring in axes)
        return wire.base_s + hops * wire.hop_s + share * num_bytes * worst / bandwidth
    rounds = 2 if kind is Collective.ALL_REDUCE else 1
    volume = 1.0 if kind is Collective.BROADCAST else (num_chips - 1) / num_chips
    return wire.base_s + rounds * (hops * wire.hop_s + num_bytes * volume / (num_links * bandwidth))


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


def _axes(network: GroupNetwork) -> Iterator[tuple[int, bool]]:
    """Size of each axis, and whether its ends are joined."""
    wraps = network.torus_wraps or (True,) * len(network.torus_axes)
    return zip(network.torus_axes, wraps, strict=True)


def _is_ring(size: int, wraps: bool) -> bool:
    """Whether a chip has two links along an axis; two chips share one."""
    return wraps and size > 2


def axis_wraps(axes: Sequence[int], ring_size: int | None, *, needs_cube: bool) -> tuple[bool, ...]:
    """Which axes of a slice of accelerators have their ends joined.

    Those of a multiple of ``ring_size``; all if that is None. Where optical switches join cubes of so many
    accelerators a side, no axis has unless the slice is made of whole cubes (jax-ml, "How To Scale Your
    Model", 2025, chapter 2: TPU v4 and v5p wrap on multiples of 4x4x4, v5e and v6e on axes of 16).

    >>> axis_wraps((8, 16), 16, needs_cube=False), axis_wraps((2, 4, 4), 4, needs_cube=True)
    ((False, True), (False, False, False))
    """
    wraps = tuple(ring_size is None or size % ring_size == 0 for size in axes)
    return wraps if all(wraps) or not needs_cube else (False,) * len(wraps)
