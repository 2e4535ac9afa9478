"""Collectives among accelerators: launch floor, hops, bandwidth and ramp."""

from __future__ import annotations

import numpy as np

from dcsim.formulas.deployment import Wire
from dcsim.formulas.roofline import Floats

IN_NETWORK_EFFICIENCY = 0.85  # NCCL rates NVLS at this share of the link (src/graph/tuning.cc, Hopper)
RAMP_S_PER_SQRT_BYTE = 6e-9


def all_reduce_time(wire: Wire, num_ranks: int, num_bytes: Floats) -> Floats:
    """Time in which ``num_ranks`` accelerators sum up ``num_bytes`` each.

    t = base + 2(n-1) hop + v S / B + c (n-1)/n sqrt(S), where B is the achievable bandwidth. A ring moves
    v = 2(n-1)/n of the message over each link (NVIDIA nccl-tests, doc/PERFORMANCE.md); where switches
    reduce (NVLS), each accelerator sends its S to be reduced and its n-th part to all: v = (n+1)/n at
    0.85 B; the faster of the two counts. The square root is the ramp of protocols and channels: 6 us for
    a message of 1 MB.

    Range: messages of 256 bytes to 1 GB, 2 to 8 ranks in one node. Against vLLM's all-reduce kernels in CUDA
    graphs (NVIDIA AIConfigurator 0.12 tables, on which links and ramp were chosen), median and 90th
    percentile of the error: A100 6 and 27 %, H100 6 and 21 %, H200 6 and 16 %, B200 6 and 23 %. Without a
    CUDA graph a call costs at least 20 us (H100) to 45 us (A100).
    """
    if num_ranks == 1:
        return 0.0 * num_bytes
    bandwidth = wire.bytes_per_s * wire.achievable_frac
    volume = 2.0 * (num_ranks - 1) / num_ranks
    if wire.has_in_network_reduction:
        volume = min(volume, (num_ranks + 1) / num_ranks / IN_NETWORK_EFFICIENCY)
    ramp = RAMP_S_PER_SQRT_BYTE * (num_ranks - 1) / num_ranks
    latency = wire.base_s + 2 * (num_ranks - 1) * wire.hop_s
    time: Floats = (
        np.where(num_bytes > 0, latency, 0.0) + num_bytes * (volume / bandwidth) + ramp * np.sqrt(num_bytes)
    )
    if wire.residual is not None:
        time = time * wire.residual.at(num_ranks).factor(np.maximum(num_bytes, 1.0))
    return time


def all_gather_time(wire: Wire, num_ranks: int, num_bytes: Floats) -> Floats:
    """Time in which every one of ``num_ranks`` accelerators gets the ``num_bytes`` spread over all of them.

    t = base + (n-1) hop + (n-1)/n S / B + c (n-1)/n sqrt(S); see :func:`all_reduce_time`. Switches that
    reduce do not help here.
    """
    if num_ranks == 1:
        return 0.0 * num_bytes
    share = (num_ranks - 1) / num_ranks
    latency = wire.base_s + (num_ranks - 1) * wire.hop_s
    moved = num_bytes * (share / (wire.bytes_per_s * wire.achievable_frac))
    time: Floats = (
        np.where(num_bytes > 0, latency, 0.0) + moved + RAMP_S_PER_SQRT_BYTE * share * np.sqrt(num_bytes)
    )
    return time


def send_time(wire: Wire, num_bytes: Floats) -> Floats:
    """Time to send ``num_bytes`` from one accelerator to the next: base + hop + S / B."""
    time: Floats = np.where(num_bytes > 0, wire.base_s + wire.hop_s, 0.0) + num_bytes / (
        wire.bytes_per_s * wire.achievable_frac
    )
    return time


def ring_over_nodes(inside: Wire, between: Wire, num_ranks: int, num_nodes: int) -> Wire:
    """One ring through ``num_nodes`` nodes: the narrower bandwidth, the mean latency of its hops.

    Of the n hops of a round, one per node leaves it (NCCL counts 2(N-1) of 2(n-1) steps between nodes,
    src/graph/tuning.cc). ``between.bytes_per_s`` is what a node's ports carry together.
    """
    share_between = (num_nodes - 1) / (num_ranks - 1) if num_ranks > 1 else 0.0
    narrow = min(inside, between, key=lambda wire: wire.bytes_per_s * wire.achievable_frac)
    return Wire(
        bytes_per_s=narrow.bytes_per_s,
        achievable_frac=narrow.achievable_frac,
        base_s=max(inside.base_s, between.base_s),
        hop_s=(1 - share_between) * inside.hop_s + share_between * between.hop_s,
    )
