"""Storage: how long a store takes to read and write, and what a cache in front of it finds.

A transfer of n bytes in f files by k nodes keeps four things busy at once: the bandwidth of the store, the
bandwidth of the nodes' own clients, the rate of operations and the rate of metadata operations. It takes
as long as the slowest of them, after one latency.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AccessLimits:
    """What bounds the reading, or the writing, of one store. Infinity means no bound.

    ``request_bytes`` is the largest operation: a larger file takes several. ``requests_in_flight`` is how
    many operations one node keeps under way.
    """

    bytes_per_s: float
    node_bytes_per_s: float = math.inf
    operations_per_s: float = math.inf
    metadata_per_s: float = math.inf
    latency_s: float = 0.0
    request_bytes: float = math.inf
    requests_in_flight: int = 64


@dataclass(frozen=True, slots=True)
class StoreLimits:
    """One store, or the store of each node where it is local: what bounds it both ways, and what it holds."""

    reading: AccessLimits
    writing: AccessLimits
    capacity_bytes: float = math.inf
    is_local: bool = False


@dataclass(frozen=True, slots=True)
class Access:
    """One transfer: so many bytes in so many files, moved by so many nodes."""

    num_bytes: float
    num_files: int = 1
    num_nodes: int = 1

    def of_one_node(self) -> Access:
        """The part of one of its nodes, where the nodes share the bytes evenly."""
        return Access(self.num_bytes / self.num_nodes, math.ceil(self.num_files / self.num_nodes))


@dataclass(frozen=True, slots=True)
class Demand:
    """What a transfer asks of a store: seconds of each resource when it has it to itself.

    ``shared_s`` is the time at the full rate of the store, ``own_s`` at the full rate of its own nodes: it
    takes the larger of the two alone, and shares the store with others in proportion.
    """

    shared_s: float
    own_s: float

    @property
    def alone_s(self) -> float:
        """How long it takes when nothing else is under way."""
        return max(self.shared_s, self.own_s)


def num_operations(limits: AccessLimits, access: Access) -> float:
    """Operations of a transfer: one per file, or per ``request_bytes`` where files are larger.

    >>> num_operations(AccessLimits(1e9, request_bytes=8e6), Access(80e6, num_files=2))
    10.0
    """
    return float(max(access.num_files, math.ceil(access.num_bytes / limits.request_bytes)))


def bandwidth_demand(limits: AccessLimits, access: Access) -> Demand:
    """Bytes over bandwidth: n / B of the store, n / (k b) of the k nodes that move them."""
    return Demand(
        access.num_bytes / limits.bytes_per_s, access.num_bytes / (access.num_nodes * limits.node_bytes_per_s)
    )


def operations_demand(limits: AccessLimits, access: Access) -> Demand:
    """Operations over their rate: o / I of the store; the nodes wait (o / (k c) - 1) further latencies.

    With c operations in flight on each of k nodes o operations come in o / (k c) waves (Little's law); the
    first wave's latency is that of the transfer itself.
    """
    operations = num_operations(limits, access)
    waves = operations / (access.num_nodes * limits.requests_in_flight)
    return Demand(operations / limits.operations_per_s, max(0.0, waves - 1.0) * limits.latency_s)


def metadata_demand(limits: AccessLimits, access: Access) -> Demand:
    """Files opened or created over the rate at which the store does so: f / M."""
    return Demand(access.num_files / limits.metadata_per_s, 0.0)


def transfer_s(limits: AccessLimits, access: Access) -> float:
    """Time to read or write n bytes in f files from k nodes, when nothing else is under way.

    T = latency + max(n / min(B, k b), o / I, (o / (k c) - 1) latency, f / M): a pipeline whose slowest stage
    sets the pace, as in the roofline of storage (bandwidth, operations and metadata are the three figures
    that vendors state and the IO500 benchmark measures apart). Range: transfers that last longer than
    their latency; a store that is not otherwise in use.

    >>> transfer_s(AccessLimits(100e9, node_bytes_per_s=10e9, latency_s=0.5), Access(1e12, num_nodes=4))
    25.5
    """
    demands = (
        bandwidth_demand(limits, access),
        operations_demand(limits, access),
        metadata_demand(limits, access),
    )
    return limits.latency_s + max(demand.alone_s for demand in demands)


def num_fed_clients(limits: AccessLimits, *, bytes_per_client_s: float, files_per_client_s: float) -> int:
    """How many clients (say, accelerators that train) a store feeds at a steady rate each.

    k = floor(min(B / x, I / o, M / f)) with x bytes, f files and o operations per second and client.

    >>> num_fed_clients(AccessLimits(100e9), bytes_per_client_s=2.7e9, files_per_client_s=20.0)
    37
    """
    operations = max(files_per_client_s, bytes_per_client_s / limits.request_bytes)
    bounds = (
        limits.bytes_per_s / bytes_per_client_s,
        math.inf if operations == 0 else limits.operations_per_s / operations,
        math.inf if files_per_client_s == 0 else limits.metadata_per_s / files_per_client_s,
    )
    return math.floor(min(bounds))


def pinned_hit_frac(num_cache_bytes: float, num_dataset_bytes: float) -> float:
    """Share of a shuffled epoch that a cache finds which keeps what it once holds: min(1, C / D).

    Mohan et al., Analyzing and Mitigating Data Stalls in DNN Training, VLDB 2021 (arXiv:2007.06775), section
    4.1: every item is read once per epoch, so keeping any C bytes saves exactly C bytes of reading.

    >>> pinned_hit_frac(1e12, 4e12)
    0.25
    """
    return min(1.0, num_cache_bytes / num_dataset_bytes)


def lru_shuffled_hit_frac(num_cache_bytes: float, num_dataset_bytes: float) -> float:
    """Share of a shuffled epoch that a least-recently-used cache finds: h = c + (1 - c) ln(1 - c), c = C / D.

    An item read at u of one epoch and v of the next (both uniform in 0..1) has 1 - u (1 - v) of the data set
    read since, and is found if that is less than c: P(U V > 1 - c) = c + (1 - c) ln(1 - c). Thrashing: a
    cache of half the data set finds 15 %. Range: many items, a fresh random order in each epoch.

    >>> round(lru_shuffled_hit_frac(1.0, 2.0), 4)
    0.1534
    """
    cached = min(1.0, num_cache_bytes / num_dataset_bytes)
    return 1.0 if cached == 1.0 else cached + (1.0 - cached) * math.log1p(-cached)


def cached_read_s(cache: AccessLimits, store: AccessLimits, access: Access, hit_frac: float) -> float:
    """Time of a read of which the cache has a part: hits and misses move side by side, the slower counts."""
    if hit_frac <= 0.0:
        return transfer_s(store, access)
    if hit_frac >= 1.0:
        return transfer_s(cache, access)
    return max(transfer_s(cache, _part(access, hit_frac)), transfer_s(store, _part(access, 1.0 - hit_frac)))


def _part(access: Access, frac: float) -> Access:
    return Access(access.num_bytes * frac, max(1, round(access.num_files * frac)), access.num_nodes)


def staging_s(source: AccessLimits, target: AccessLimits, access: Access) -> float:
    """Time to copy from one store to another, reading and writing at once: the slower of the two.

    ``access.num_nodes`` is how many nodes copy. A data set staged, a checkpoint backed up.
    """
    return max(transfer_s(source, access), transfer_s(target, access))


def weight_load_s(read_s: float, num_bytes: float, host_bytes_per_s: float) -> float:
    """Time from a store to the accelerators' memory, one after the other: T = read + n / B_host.

    ``host_bytes_per_s`` is what the host links of the accelerators that take part carry together. Loaders
    that fill host memory first (the default of vLLM and of safetensors) behave so.

    >>> weight_load_s(7.0, 140e9, 200e9)
    7.7
    """
    return read_s + num_bytes / host_bytes_per_s


def streamed_weight_load_s(read_s: float, num_bytes: float, host_bytes_per_s: float) -> float:
    """Time from a store to the accelerators' memory, reading and copying at once: the slower of the two.

    Streaming loaders: ServerlessLLM (OSDI 2024, arXiv:2401.14351), Run:ai Model Streamer.

    >>> streamed_weight_load_s(7.0, 140e9, 200e9)
    7.0
    """
    return max(read_s, num_bytes / host_bytes_per_s)


def holding_usd(num_bytes: float, held_s: float, usd_per_byte_s: float) -> float:
    """Rent of stored bytes: n t p.

    >>> round(holding_usd(1e12, 2629800.0, 23.0 / (1e12 * 2629800.0)), 6)
    23.0
    """
    return num_bytes * held_s * usd_per_byte_s
