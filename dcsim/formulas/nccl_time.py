"""Collectives in NCCL's tuning form: the fastest of its algorithms and protocols on a network."""

from __future__ import annotations

import math
from typing import NamedTuple

from dcsim.formulas.collectives import IN_NETWORK_EFFICIENCY
from dcsim.formulas.group_network import (
    Collective,
    GroupNetwork,
    bus_bytes_frac,
    inside_bandwidth,
    large_message_bytes_per_s,
)


class _Protocol(NamedTuple):
    """Latencies of a protocol: once, per step inside and per step between domains; share of bandwidth."""

    ring_base_s: float
    ring_inside_s: float
    ring_between_s: float
    tree_base_s: float
    tree_inside_s: float
    tree_between_s: float
    bandwidth_frac: float


# NVIDIA nccl, src/graph/tuning.cc, baseLat and hwLat (NVLINK, NET), and its factors of bandwidth
_LOW_LATENCY = _Protocol(6.6e-6, 0.6e-6, 2.7e-6, 6.8e-6, 0.6e-6, 5.0e-6, 0.5)
_LOW_LATENCY_128 = _Protocol(14.0e-6, 1.9e-6, 4.0e-6, 14.0e-6, 1.25e-6, 8.5e-6, 0.92)
_SIMPLE = _Protocol(8.4e-6, 3.4e-6, 14.0e-6, 8.4e-6, 4.0e-6, 14.0e-6, 1.0)
_PROTOCOLS = (_LOW_LATENCY, _LOW_LATENCY_128, _SIMPLE)
_SWITCH_S = 25.0e-6  # NVLS, same table
_SWITCH_BETWEEN_S = 14.0e-6  # NVLS tree, step between domains, same table
_SWITCH_MIN_RANKS = 5  # up to 4 ranks the ring is as fast: stas00/ml-engineering, H200, NVLS off and on
# GB200 NVL72 gains no more over a ring on 32 ranks than B200 on 8: 850 GB/s over 680 and over 700 (NVIDIA GTC
# 2025, session S72583, slide 12)
_SWITCH_GAIN_RANKS = 8
# all-to-all of 512 bytes: 6.5 us on 2 and 7.4 us on 8 H100 (AIConfigurator 0.12, NCCL 2.29)
_PEER_S = 0.15e-6
# share of the ports' bandwidth in an all-to-all: bus bandwidths of 24 and 48 GB/s among 32 ranks whose ports
# carry 25 and 50 GB/s (NVIDIA GTC 2025, session S72583, slide 13)
_EXCHANGE_FRAC = 0.82


class _Group(NamedTuple):
    """A group on a network: bandwidths of large messages, and what its wires add to NCCL's latencies."""

    num_ranks: int
    inner: int
    num_domains: int
    inside_bytes_per_s: float
    between_bytes_per_s: float  # of all ranks in a domain together
    added_base_s: float
    added_inside_s: float
    added_between_s: float
    fill_s: float


def nccl_time_s(
    kind: Collective, network: GroupNetwork, num_ranks: int, ranks_per_domain: int, num_bytes: float
) -> float:
    """Time of a collective of two ranks or more, a positive message.

    NCCL takes the algorithm (ring, tree, in-switch reduction) and protocol (LL, LL128, Simple) for which
    latency + bytes / bandwidth is least (src/graph/tuning.cc, ncclTopoGetAlgoTime). Real transfers move
    in segments through a pipeline of depth d, whose steps take a each: with the best number of segments,
    t = latency + x + 2 sqrt(d a x), where x is the time of the bytes alone (minimise (d + m)(a + x/m) over
    m). This is the ramp of bus bandwidth over size. A step is NCCL's Simple step: 3.4 us inside a domain,
    14 us between domains, at log2(domains) levels. A wire slower than NVLink and InfiniBand adds what its
    latencies exceed theirs by.

    No constant was fitted on curves; the depth was chosen on them, among once and twice the levels. Mean
    error on messages of 1 MiB and more (benchmarks/COLLECTIVES.md): 6 to 13 % for all-reduce on 32 to 4096
    H100 over InfiniBand, 9 to 24 % over AWS EFA, 7 to 12 % inside a node; 5 to 40 % for other collectives
    inside a node. Below 1 MiB 20 %, over EFA twice that.
    """
    if kind is Collective.SEND:
        return _send_s(network, num_ranks, ranks_per_domain, num_bytes)
    group = _group(network, num_ranks, ranks_per_domain)
    if kind is Collective.ALL_TO_ALL:
        return _exchange_s(group, num_bytes)
    best_s = _ring_s(kind, group, num_bytes)
    if kind is not Collective.ALL_REDUCE:
        return best_s
    if group.num_domains > 1:
        best_s = min(best_s, _tree_s(group, network, num_bytes))
    if network.scale_up.has_in_network_reduction and group.inner >= _SWITCH_MIN_RANKS:
        best_s = min(best_s, _in_switch_s(group, network, num_bytes))
    return best_s


def _group(network: GroupNetwork, num_ranks: int, ranks_per_domain: int) -> _Group:
    up, out = network.scale_up, network.scale_out
    inner = min(ranks_per_domain, num_ranks)
    num_domains = -(-num_ranks // inner)
    added_between_s = max(out.hop_s - _LOW_LATENCY.ring_between_s, 0.0)
    base_s = up.base_s if num_domains == 1 else max(up.base_s, out.base_s)
    inside_bytes_per_s = inside_bandwidth(network, inner) if inner > 1 else math.inf
    return _Group(
        num_ranks=num_ranks,
        inner=inner,
        num_domains=num_domains,
        inside_bytes_per_s=inside_bytes_per_s,
        between_bytes_per_s=inner * large_message_bytes_per_s(out) * network.scale_out_share_frac,
        added_base_s=max(base_s - _LOW_LATENCY.ring_base_s, 0.0),
        added_inside_s=max(up.hop_s - _LOW_LATENCY.ring_inside_s, 0.0),
        added_between_s=added_between_s,
        fill_s=_SIMPLE.ring_inside_s + math.log2(num_domains) * (_SIMPLE.ring_between_s + added_between_s),
    )


def _pipelined_s(latency_s: float, bytes_s: float, fill_s: float) -> float:
    return latency_s + bytes_s + 2.0 * math.sqrt(fill_s * bytes_s)


def _ring_s(kind: Collective, group: _Group, num_bytes: float) -> float:
    """One ring through all ranks, as wide as its narrowest part: a rank's wire, or a domain's ports."""
    rounds = 2 if kind is Collective.ALL_REDUCE else 1
    between = rounds * (group.num_domains - 1)
    inside = rounds * (group.num_ranks - 1) - between
    narrowest = group.inside_bytes_per_s
    if group.num_domains > 1:
        narrowest = min(narrowest, group.between_bytes_per_s)
    bytes_s = num_bytes * bus_bytes_frac(kind, group.num_ranks) / narrowest
    return group.added_base_s + min(
        _pipelined_s(
            one.ring_base_s
            + inside * (one.ring_inside_s + group.added_inside_s)
            + between * (one.ring_between_s + group.added_between_s),
            bytes_s / one.bandwidth_frac,
            group.fill_s,
        )
        for one in _PROTOCOLS
    )


def _tree_s(group: _Group, network: GroupNetwork, num_bytes: float) -> float:
    """A double binary tree of domains, a chain inside each."""
    levels = math.log2(group.num_domains)
    inside_s = num_bytes * bus_bytes_frac(Collective.ALL_REDUCE, group.num_ranks) / group.inside_bytes_per_s
    bytes_s = max(inside_s, _reduced_between_s(group, network, num_bytes))
    return group.added_base_s + min(
        _pipelined_s(
            one.tree_base_s
            + 2 * (group.inner - 1) * (one.tree_inside_s + group.added_inside_s)
            + 2 * levels * (one.tree_between_s + group.added_between_s),
            bytes_s / one.bandwidth_frac,
            group.fill_s,
        )
        for one in _PROTOCOLS
    )


def _in_switch_s(group: _Group, network: GroupNetwork, num_bytes: float) -> float:
    """Switches reduce inside the domain (NVLS), a tree or switches between domains.

    Inside, each rank sends S to be reduced and its part of the result to all: (g+1)/g S at 0.85 of the
    bandwidth (see :func:`dcsim.formulas.collectives.all_reduce_time`). Among more than eight ranks the gain
    over a ring stays what it is among eight.
    """
    levels = math.log2(group.num_domains)
    gaining = min(group.inner, _SWITCH_GAIN_RANKS)
    ring_volume = bus_bytes_frac(Collective.ALL_REDUCE, group.inner)
    gain = bus_bytes_frac(Collective.ALL_REDUCE, gaining) * gaining / (gaining + 1)
    bytes_s = num_bytes * ring_volume / gain / IN_NETWORK_EFFICIENCY / group.inside_bytes_per_s
    if group.num_domains > 1:
        bytes_s = max(bytes_s, _reduced_between_s(group, network, num_bytes))
    latency_s = _SWITCH_S + 2 * levels * (_SWITCH_BETWEEN_S + group.added_between_s)
    return group.added_base_s + _pipelined_s(latency_s, bytes_s, group.fill_s)


def _reduced_between_s(group: _Group, network: GroupNetwork, num_bytes: float) -> float:
    """Time of an all-reduce's bytes through the ports of a domain.

    Two domains, or switches that reduce (SHARP), pass each byte once in each direction; in a double binary
    tree of more a domain forwards to two others: twice, less what the ring saves too.
    """
    is_once = group.num_domains == 2 or network.scale_out.has_in_network_reduction
    volume = 1.0 if is_once else bus_bytes_frac(Collective.ALL_REDUCE, group.num_ranks)
    return num_bytes * volume / group.between_bytes_per_s


def _exchange_s(group: _Group, num_bytes: float) -> float:
    """All-to-all: every rank sends S / n to each; inside and between domains at once, the slower counts."""
    remote = group.num_ranks - group.inner
    bytes_s = num_bytes * (group.inner - 1) / group.num_ranks / group.inside_bytes_per_s
    latency_s = _LOW_LATENCY.ring_base_s + (group.num_ranks - 1) * _PEER_S + group.added_base_s
    if remote > 0:
        per_rank = group.between_bytes_per_s / group.inner * _EXCHANGE_FRAC
        bytes_s = max(bytes_s, num_bytes * remote / group.num_ranks / per_rank)
        latency_s += _LOW_LATENCY.ring_between_s + group.added_between_s
    else:
        latency_s += group.added_inside_s
    return _pipelined_s(latency_s, bytes_s, group.fill_s)


def _send_s(network: GroupNetwork, num_ranks: int, ranks_per_domain: int, num_bytes: float) -> float:
    if num_ranks <= ranks_per_domain:
        up = network.scale_up
        return up.base_s + up.hop_s + num_bytes / inside_bandwidth(network, 2)
    out = network.scale_out
    bandwidth = large_message_bytes_per_s(out) * network.scale_out_share_frac
    return out.base_s + out.hop_s + num_bytes / bandwidth
