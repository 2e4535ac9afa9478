"""Collectives in NCCL's tuning form: the fastest of its algorithms and protocols on a network."""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from dcsim.formulas.network.collectives import IN_NETWORK_EFFICIENCY
from dcsim.formulas.network.group_network import (
    Collective,
    GroupNetwork,
    bus_bytes_frac,
    inside_bandwidth,
    large_message_bytes_per_s,
)


class _Protocol(NamedTuple):
    """Latencies of a protocol: once, per step inside and per step between domains; shares it reaches.

    A step between domains pays the port's own latency ``num_crossings`` times: Simple flushes what arrived.
    """

    ring_base_s: float
    ring_inside_s: float
    ring_between_s: float
    tree_base_s: float
    tree_inside_s: float
    tree_between_s: float
    bandwidth_frac: float
    ramp_frac: float  # share of the ramp of whole chunks inside a domain
    num_crossings: int


# NVIDIA nccl, src/graph/tuning.cc, baseLat and hwLat (NVLINK, NET), and its factors of bandwidth; that of LL,
# 1/4 or 1/2 by version, and the shares of the ramp: fitted, see nccl_time_s
_LOW_LATENCY = _Protocol(6.6e-6, 0.6e-6, 2.7e-6, 6.8e-6, 0.6e-6, 5.0e-6, 0.4, 0.0, 1)
_LOW_LATENCY_128 = _Protocol(14.0e-6, 1.9e-6, 4.0e-6, 14.0e-6, 1.25e-6, 8.5e-6, 0.92, 0.5, 1)
_SIMPLE = _Protocol(8.4e-6, 3.4e-6, 14.0e-6, 8.4e-6, 4.0e-6, 14.0e-6, 1.0, 1.0, 2)
_PROTOCOLS = (_LOW_LATENCY, _LOW_LATENCY_128, _SIMPLE)
_LOW_LATENCY_BYTES_PER_S = 20.4e9  # bus bandwidth of LL over several nodes, same file, llMaxBws
# 24 channels, as NCCL prints them on A100 and H100, each with chunks of 256 KiB (tuning.cc on the latency of
# trees), which grow from slices of 16 KiB: 1/32 of a step of the buffers (src/device/prims_simple.h)
_CHUNK_BYTES = 24 * 262144.0
_SLICE_BYTES = 24 * 16384.0
_CHUNK_S = 28.0e-6  # step of such a chunk at 12 GB/s a channel, as trees go; tuning.cc, hwLat of Tree Simple
_CHUNK_LATENCY_S = _CHUNK_S - 262144.0 / 12e9  # what of that is not bandwidth
_STEP_S = 1.7e-6  # step of a slice in that manner
_RING_TURN_STEPS = 0.5  # steps that a ring waits in each round, by overlap of its one further copy; fitted
_PLATEAU = 1.4  # latency of Simple rings over several nodes, same file, "plateau effect of ring"
_LINK_RANKS = 4  # ranks among which the achievable shares of links were measured
_SWITCH_S = 25.0e-6  # NVLS, same table
_SWITCH_BETWEEN_S = 20.9e-6  # NVLS tree, step between domains, same table
# a step moves a chunk of each rank of the domain, 28 us hold for eight: two racks of 64 GB200 take 0.9 ms
# more than their bytes do (coreweave/nccl-tests)
_SWITCH_CHUNK_RANKS = 8
_SWITCH_MIN_RANKS = 5  # up to 4 ranks the ring is as fast: stas00/ml-engineering, H200, NVLS off and on
# GB200 NVL72 gains no more over a ring on 32 ranks than B200 on 8: 850 GB/s over 680 and over 700 (NVIDIA GTC
# 2025, session S72583, slide 12)
_SWITCH_GAIN_RANKS = 8
# all-to-all of 512 bytes: 6.5 us on 2 and 7.4 us on 8 H100 (AIConfigurator 0.12, NCCL 2.29)
_PEER_S = 0.15e-6
# share of the ports' bandwidth in an all-to-all: bus bandwidths of 24 and 48 GB/s among 32 ranks whose ports
# carry 25 and 50 GB/s (NVIDIA GTC 2025, session S72583, slide 13)
_EXCHANGE_FRAC = 0.82


class _Ramp(NamedTuple):
    """Steps along the pipeline of one phase, of slices and of whole chunks."""

    step_s: float
    chunk_s: float

    def lasts_s(self, num_phases: int, bytes_s: float, num_chunks: float = 1.0) -> float:
        """What filling the pipeline adds: chunks grow with the message, up to whole ones, so many a step."""
        growing_s = 2.0 * math.sqrt(num_phases * self.step_s * num_chunks * bytes_s)
        return min(growing_s, num_phases * self.chunk_s * num_chunks)


class _Group(NamedTuple):
    """A group on a network: bandwidths of large messages, and what its wires add to NCCL's latencies."""

    num_ranks: int
    inner: int
    num_domains: int
    reduces_inside: bool  # switches of each domain
    has_low_latency: bool  # LL and LL128 may be used
    inside_bytes_per_s: float
    between_bytes_per_s: float  # of all ranks in a domain together
    added_base_s: float
    added_inside_s: float
    added_between_s: float
    ramp: _Ramp  # of rings and trees
    switch_ramp: _Ramp  # of in-switch reduction and all-to-all
    ring_s: tuple[float, float, float]  # latencies of one phase of a ring, base left out: LL, LL128, Simple
    tree_s: tuple[float, float, float]  # latencies of a tree


def nccl_time_s(
    kind: Collective, network: GroupNetwork, num_ranks: int, ranks_per_domain: int, num_bytes: float
) -> float:
    """Time of a collective of two ranks or more, a positive message.

    NCCL takes the algorithm (ring, tree, in-switch reduction) and protocol (LL, LL128, Simple) for which
    latency + bytes / bandwidth is least (src/graph/tuning.cc, ncclTopoGetAlgoTime). Real transfers move
    in chunks through a pipeline of depth d, whose steps take a each: with the best number of chunks,
    t = latency + x + 2 sqrt(d a x), where x is the time of the bytes alone (minimise (d + m)(a + x/m) over
    m). This is the ramp of bus bandwidth over size. Chunks do not outgrow NCCL's buffers: the ramp ends at
    d whole chunks. d counts a step inside the domain and log2(domains) between, for each phase; an
    all-reduce has two. A wire slower than NVLink and InfiniBand adds what its latencies exceed theirs by.

    Over more than two domains whose switches reduce, NCCL does not take a ring: by its table the tree with
    in-switch reduction has the bandwidth of one and less latency. On racks that is not always the fastest.

    Beside NCCL's own constants some were chosen on measurements: of AIConfigurator inside A100 and H100
    nodes, and on 16, 32, 256 and 4096 H100 across nodes. docs/accuracy-collectives.md names each, and has the
    errors on these and on all others.
    """
    if kind is Collective.SEND:
        return _send_s(network, num_ranks, ranks_per_domain, num_bytes)
    group = _group(network, num_ranks, ranks_per_domain)
    if kind is Collective.ALL_TO_ALL:
        return _exchange_s(group, num_bytes)
    if kind is not Collective.ALL_REDUCE:
        return _ring_s(kind, group, network, num_bytes)
    best_s = math.inf
    if group.num_domains > 1:
        best_s = _tree_s(group, network, num_bytes)
    if group.reduces_inside:
        best_s = min(best_s, _in_switch_s(group, network, num_bytes))
    if group.num_domains > 2 and group.reduces_inside:
        return best_s
    return min(best_s, _ring_s(kind, group, network, num_bytes))


def is_reduced_in_switches(network: GroupNetwork, num_ranks: int, num_bytes: float) -> bool:
    """Whether NCCL's tuning form lets switches reduce an all-reduce among ranks of one domain."""
    group = _group(network, num_ranks, num_ranks)
    if not group.reduces_inside:
        return False
    ring_s = _ring_s(Collective.ALL_REDUCE, group, network, num_bytes)
    return _in_switch_s(group, network, num_bytes) < ring_s


@lru_cache(maxsize=4096)
def _group(network: GroupNetwork, num_ranks: int, ranks_per_domain: int) -> _Group:
    up, out = network.scale_up, network.scale_out
    inner = min(ranks_per_domain, num_ranks)
    num_domains = -(-num_ranks // inner)
    added_between_s = max(out.hop_s - _LOW_LATENCY.ring_between_s, 0.0)
    base_s = up.base_s if num_domains == 1 else max(up.base_s, out.base_s)
    added_inside_s = max(up.hop_s - _LOW_LATENCY.ring_inside_s, 0.0)
    levels = math.log2(num_domains)
    inside_bytes_per_s = inside_bandwidth(network, inner) if inner > 1 else math.inf
    port_bytes_per_s = large_message_bytes_per_s(out) * network.scale_out_share_frac
    slice_between_s = levels * (_CHUNK_S + added_between_s)
    chunk_between_s = levels * (_CHUNK_LATENCY_S + network.chunk_bytes / port_bytes_per_s + added_between_s)
    return _Group(
        num_ranks=num_ranks,
        inner=inner,
        num_domains=num_domains,
        reduces_inside=up.has_in_network_reduction and inner >= _SWITCH_MIN_RANKS,
        has_low_latency=num_domains == 1 or network.has_low_latency_protocols,
        inside_bytes_per_s=inside_bytes_per_s,
        between_bytes_per_s=inner * port_bytes_per_s,
        added_base_s=max(base_s - _LOW_LATENCY.ring_base_s, 0.0),
        added_inside_s=added_inside_s,
        added_between_s=added_between_s,
        ramp=_Ramp(
            _SLICE_BYTES / inside_bytes_per_s + slice_between_s,
            _CHUNK_BYTES / inside_bytes_per_s + chunk_between_s,
        ),
        switch_ramp=_Ramp(_STEP_S + slice_between_s, _CHUNK_S + chunk_between_s),
        ring_s=_by_protocol(
            (num_ranks - num_domains) * (one.ring_inside_s + added_inside_s)
            + (num_domains - 1) * (one.ring_between_s + one.num_crossings * added_between_s)
            for one in _PROTOCOLS
        ),
        tree_s=_by_protocol(
            one.tree_base_s
            + 2 * (inner - 1) * (one.tree_inside_s + added_inside_s)
            + 2 * levels * (one.tree_between_s + one.num_crossings * added_between_s)
            for one in _PROTOCOLS
        ),
    )


def _by_protocol(latencies_s: Iterable[float]) -> tuple[float, float, float]:
    low, middle, simple = latencies_s
    return low, middle, simple


def _best_protocol_s(
    group: _Group, num_phases: int, moved: float, bytes_s: float, latencies_s: tuple[float, float, float]
) -> float:
    """Time by the fastest of LL, LL128 and Simple: latency, bytes and ramp.

    Between domains all protocols send chunks, and LL has a bandwidth of its own at the most.
    """
    is_inside = group.num_domains == 1
    step_s, chunk_s = num_phases * group.ramp.step_s, num_phases * group.ramp.chunk_s
    best_s = math.inf
    for protocol, latency_s in zip(_PROTOCOLS, latencies_s, strict=True):
        if protocol is not _SIMPLE and not group.has_low_latency:
            continue
        moving_s = bytes_s / protocol.bandwidth_frac
        if protocol is _LOW_LATENCY and not is_inside:
            moving_s = max(moving_s, moved / _LOW_LATENCY_BYTES_PER_S)
        ramp_s = 2.0 * math.sqrt(step_s * moving_s)
        if ramp_s > chunk_s:  # built-in min costs as much as the rest
            ramp_s = chunk_s
        total_s = latency_s + moving_s + (protocol.ramp_frac if is_inside else 1.0) * ramp_s
        if total_s < best_s:
            best_s = total_s
    return group.added_base_s + best_s


def _ring_bytes_per_s(network: GroupNetwork, group: _Group, num_phases: int) -> float:
    """What a ring reaches inside: each round copies once more than it passes on, worst in few steps.

    A round of an all-reduce has 2(n - 1) steps, of a gather or scatter n - 1 (src/device/all_reduce.h,
    all_gather.h): the rank's own part is copied or reduced in a further one. The links' shares were measured
    in all-reduces of four ranks.
    """
    if network.is_full_mesh:
        return group.inside_bytes_per_s
    lost = _RING_TURN_STEPS / (num_phases * (group.num_ranks - 1))
    there = _RING_TURN_STEPS / (2 * (_LINK_RANKS - 1))
    return min(group.inside_bytes_per_s * (1.0 + there) / (1.0 + lost), network.scale_up.bytes_per_s)


def _ring_s(kind: Collective, group: _Group, network: GroupNetwork, num_bytes: float) -> float:
    """One ring through all ranks, as wide as its narrowest part: a rank's wire, or a domain's ports."""
    num_phases = 2 if kind is Collective.ALL_REDUCE else 1
    is_plateau = num_phases == 2 and group.num_domains > 1
    narrowest = _ring_bytes_per_s(network, group, num_phases)
    if group.num_domains > 1:
        narrowest = min(narrowest, group.between_bytes_per_s)
    moved = num_bytes * bus_bytes_frac(kind, group.num_ranks)
    low, middle, simple = group.ring_s
    latencies_s = (
        _LOW_LATENCY.ring_base_s + num_phases * low,
        _LOW_LATENCY_128.ring_base_s + num_phases * middle,
        (_SIMPLE.ring_base_s + num_phases * simple) * (_PLATEAU if is_plateau else 1.0),
    )
    return _best_protocol_s(group, num_phases, moved, moved / narrowest, latencies_s)


def _tree_s(group: _Group, network: GroupNetwork, num_bytes: float) -> float:
    """A double binary tree of domains, a chain inside each.

    Over more than two domains it is slower than one with in-switch reduction, where the wires inside bind
    either (src/graph/tuning.cc, perChMaxTreeBws and perChMaxNVLSTreeBws).
    """
    moved = num_bytes * bus_bytes_frac(Collective.ALL_REDUCE, group.num_ranks)
    inside_s = moved / _ring_bytes_per_s(network, group, 2)
    if group.num_domains > 2 and group.reduces_inside:
        inside_s = max(inside_s, _reduced_inside_s(group, network, num_bytes) / network.plain_tree_frac)
    bytes_s = max(inside_s, _reduced_between_s(group, network, num_bytes))
    return _best_protocol_s(group, 2, moved, bytes_s, group.tree_s)


def _in_switch_s(group: _Group, network: GroupNetwork, num_bytes: float) -> float:
    """Switches reduce inside the domain (NVLS), a tree or switches between domains."""
    levels = math.log2(group.num_domains)
    bytes_s = _reduced_inside_s(group, network, num_bytes)
    if group.num_domains > 1:
        bytes_s = max(bytes_s, _reduced_between_s(group, network, num_bytes))
    between_s = _SWITCH_BETWEEN_S + _SIMPLE.num_crossings * group.added_between_s
    latency_s = _SWITCH_S + 2 * levels * between_s
    num_chunks = max(group.inner / _SWITCH_CHUNK_RANKS, 1.0)
    return group.added_base_s + latency_s + bytes_s + group.switch_ramp.lasts_s(2, bytes_s, num_chunks)


def _reduced_inside_s(group: _Group, network: GroupNetwork, num_bytes: float) -> float:
    """Time of an all-reduce's bytes in a domain whose switches reduce.

    Each rank sends S to be reduced and its part of the result to all: (g+1)/g S at 0.85 of the bandwidth
    (see :func:`dcsim.formulas.network.collectives.all_reduce_time`). Among more than eight ranks the gain
    over a ring stays what it is among eight. In a tree of more than two domains a share of the bandwidth is
    left (src/graph/tuning.cc, perChMaxNVLSTreeBws), unless switches reduce there too.
    """
    gaining = min(group.inner, _SWITCH_GAIN_RANKS)
    ring_volume = bus_bytes_frac(Collective.ALL_REDUCE, group.inner)
    gain = bus_bytes_frac(Collective.ALL_REDUCE, gaining) * gaining / (gaining + 1)
    bytes_s = num_bytes * ring_volume / gain / IN_NETWORK_EFFICIENCY / group.inside_bytes_per_s
    if group.num_domains > 2 and not network.scale_out.has_in_network_reduction:
        bytes_s /= network.switch_tree_frac
    return bytes_s


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
    return latency_s + bytes_s + group.switch_ramp.lasts_s(2, bytes_s)


def _send_s(network: GroupNetwork, num_ranks: int, ranks_per_domain: int, num_bytes: float) -> float:
    if num_ranks <= ranks_per_domain:
        up = network.scale_up
        return up.base_s + up.hop_s + num_bytes / inside_bandwidth(network, 2)
    out = network.scale_out
    bandwidth = large_message_bytes_per_s(out) * network.scale_out_share_frac
    return out.base_s + out.hop_s + num_bytes / bandwidth
