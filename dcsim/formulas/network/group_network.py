"""What a group of ranks talks over: the wires inside a scale-up domain and between domains."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from dcsim.formulas.deployment import Wire
from dcsim.formulas.network.collective_curve import CollectiveCurves


class Collective(StrEnum):
    """What a group of ranks does together. Sizes are the full message S as nccl-tests counts it."""

    ALL_REDUCE = "all_reduce"
    ALL_GATHER = "all_gather"
    REDUCE_SCATTER = "reduce_scatter"
    ALL_TO_ALL = "all_to_all"
    BROADCAST = "broadcast"
    SEND = "send"


@dataclass(frozen=True, slots=True)
class GroupNetwork:
    """The wires per accelerator, inside a scale-up domain and between domains.

    ``scale_out.bytes_per_s`` is an accelerator's share of its node's ports; contention leaves it
    ``scale_out_share_frac``. On a TPU torus ``scale_up`` is one link, one way, and ``torus_axes`` are the
    sizes of the axes that the group spans, of which ``torus_wraps`` are rings (all if empty). In a full mesh
    ``scale_up`` is all links of an accelerator to the others of its domain. ``measured`` holds measured sizes
    and times of this very network, which go before any formula.

    Between domains NCCL moves whole chunks, ``chunk_bytes`` of them at once for each accelerator, and LL and
    LL128 only if ``has_low_latency_protocols``. Over more than two domains a tree with reduction in the
    switches of each keeps ``switch_tree_frac`` of what that reduction reaches, a tree without
    ``plain_tree_frac`` of that again.
    """

    scale_up: Wire
    scale_out: Wire
    domain_size: int
    torus_axes: tuple[int, ...] = ()
    scale_out_share_frac: float = 1.0
    torus_wraps: tuple[bool, ...] = ()
    is_full_mesh: bool = False
    measured: CollectiveCurves | None = None
    time_factor: float = 1.0  # by which all take longer than that: a drawn error
    chunk_bytes: float = 1048576.0
    has_low_latency_protocols: bool = True
    switch_tree_frac: float = 1.0
    plain_tree_frac: float = 1.0


def large_message_bytes_per_s(wire: Wire) -> float:
    """What large transfers reach."""
    return wire.bytes_per_s * wire.achievable_frac


def inside_bandwidth(network: GroupNetwork, num_ranks: int) -> float:
    """What large transfers reach per accelerator among so many within a domain, in bytes per second.

    A switch gives each its whole wire. In a full mesh only the links to the others of the group serve.
    """
    bandwidth = large_message_bytes_per_s(network.scale_up)
    if not network.is_full_mesh or network.domain_size <= num_ranks:
        return bandwidth
    return bandwidth * (num_ranks - 1) / (network.domain_size - 1)


def bus_bytes_frac(kind: Collective, num_ranks: int) -> float:
    """Bus bandwidth over S / t: what the busiest link of n ranks carries of the message, at the least.

    2(n-1)/n for an all-reduce, (n-1)/n for all-gather, reduce-scatter and all-to-all, else 1 (NVIDIA
    nccl-tests, doc/PERFORMANCE.md).

    >>> bus_bytes_frac(Collective.ALL_REDUCE, 8)
    1.75
    """
    if kind is Collective.ALL_REDUCE:
        return 2.0 * (num_ranks - 1) / num_ranks
    if kind in (Collective.BROADCAST, Collective.SEND):
        return 1.0
    return (num_ranks - 1) / num_ranks
