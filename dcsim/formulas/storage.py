"""Storage: how long a store takes to read and write, and how much it gives to many at a steady rate.

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


@dataclass(frozen=True, slots=True)
class Demands:
    """What a transfer asks of each resource of a store."""

    bandwidth: Demand
    operations: Demand
    metadata: Demand

    @property
    def alone_s(self) -> float:
        """The slowest of them, when nothing else is under way."""
        return max(self.bandwidth.alone_s, self.operations.alone_s, self.metadata.alone_s)


def num_operations(limits: AccessLimits, access: Access) -> float:
    """Operations of a transfer: one per file, or per ``request_bytes`` where files are larger.

    >>> num_operations(AccessLimits(1e9, request_bytes=8e6), Access(80e6, num_files=2))
    10.0
    """
    return float(max(access.num_files, math.ceil(access.num_bytes / limits.request_bytes)))


def transfer_demands(limits: AccessLimits, access: Access) -> Demands:
    """What a transfer of n bytes in f files and o operations by k nodes asks for.

    Bandwidth: n / B of the store, n / (k b) of the nodes. Operations: o / I of the store; with c of them in
    flight on each node they come in o / (k c) waves (Little's law), each but the first a further latency.
    Metadata: f / M.
    """
    operations = num_operations(limits, access)
    waves = operations / (access.num_nodes * limits.requests_in_flight)
    return Demands(
        Demand(
            access.num_bytes / limits.bytes_per_s,
            access.num_bytes / (access.num_nodes * limits.node_bytes_per_s),
        ),
        Demand(operations / limits.operations_per_s, max(0.0, waves - 1.0) * limits.latency_s),
        Demand(access.num_files / limits.metadata_per_s, 0.0),
    )


def stream_demands(
    limits: AccessLimits, num_nodes: int, bytes_per_s: float, bytes_per_file: float
) -> Demands:
    """What each second of a stream of so many bytes per second, in files of one size, asks for.

    As :func:`transfer_demands`, but that a second of it takes a second at least: it does not run ahead.
    """
    files = bytes_per_s / bytes_per_file
    operations = max(files, bytes_per_s / limits.request_bytes)
    waiting = operations * limits.latency_s / (num_nodes * limits.requests_in_flight)
    moving = bytes_per_s / (num_nodes * limits.node_bytes_per_s)
    return Demands(
        Demand(bytes_per_s / limits.bytes_per_s, max(1.0, moving)),
        Demand(operations / limits.operations_per_s, max(1.0, waiting)),
        Demand(files / limits.metadata_per_s, 1.0),
    )


def transfer_s(limits: AccessLimits, access: Access) -> float:
    """Time to read or write n bytes in f files from k nodes, when nothing else is under way.

    T = latency + max(n / min(B, k b), o / I, (o / (k c) - 1) latency, f / M): a pipeline whose slowest stage
    sets the pace, as in the roofline of storage (bandwidth, operations and metadata are the three figures
    that vendors state and the IO500 benchmark measures apart). Range: transfers that last longer than
    their latency; a store that is not otherwise in use.

    >>> transfer_s(AccessLimits(100e9, node_bytes_per_s=10e9, latency_s=0.5), Access(1e12, num_nodes=4))
    25.5
    """
    return limits.latency_s + transfer_demands(limits, access).alone_s


def steady_limits(limits: AccessLimits, num_nodes: int, bytes_per_file: float) -> dict[str, float]:
    """Rate at which nodes can go on reading or writing files of one size, by what may bound it.

    X = min(B, k b, s I / r, s M, s k c / (r latency)) with s bytes per file, r operations per file and c
    operations in flight on each of k nodes (Little's law). Small files are slow: 100 kB each with 64 in
    flight at 2.3 ms make 2.8 GB/s per node, whatever the bandwidth.
    """
    of_operation = _bytes_per_operation(limits, bytes_per_file)
    in_flight = num_nodes * limits.requests_in_flight
    return {
        "bandwidth": limits.bytes_per_s,
        "bandwidth of the nodes": num_nodes * limits.node_bytes_per_s,
        "operations": of_operation * limits.operations_per_s,
        "metadata rate": bytes_per_file * limits.metadata_per_s,
        "latency": math.inf if limits.latency_s == 0.0 else of_operation * in_flight / limits.latency_s,
    }


def steady_bytes_per_s(limits: AccessLimits, num_nodes: int, bytes_per_file: float) -> float:
    """The least of the ``steady_limits``, nothing else being under way.

    >>> round(steady_bytes_per_s(AccessLimits(1e12, latency_s=2.3e-3), 1, 1e5) / 1e9, 1)
    2.8
    """
    return min(steady_limits(limits, num_nodes, bytes_per_file).values())


def _bytes_per_operation(limits: AccessLimits, bytes_per_file: float) -> float:
    """Mean bytes of an operation on files of one size; infinity stands for files without end."""
    if bytes_per_file <= limits.request_bytes or math.isinf(bytes_per_file):
        return min(bytes_per_file, limits.request_bytes)
    return bytes_per_file / math.ceil(bytes_per_file / limits.request_bytes)


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


def read_s(store: StoreLimits, access: Access) -> float:
    """Time to read from a store, or from each node's own, when nothing else is under way."""
    return transfer_s(store.reading, part_of_store(store, access))


def write_s(store: StoreLimits, access: Access) -> float:
    """Time to write to a store, or to each node's own, when nothing else is under way."""
    return transfer_s(store.writing, part_of_store(store, access))


def part_of_store(store: StoreLimits, access: Access) -> Access:
    """What one store has of a transfer: a node's part where every node has its own."""
    return access.of_one_node() if store.is_local else access


def staging_s(source: StoreLimits, target: StoreLimits, access: Access) -> float:
    """Time to copy from one store to another, reading and writing at once: the slower of the two.

    ``access.num_nodes`` is how many nodes copy. A data set staged, a checkpoint backed up.

    >>> slow, fast = AccessLimits(10e9), AccessLimits(90e9)
    >>> staging_s(StoreLimits(slow, slow), StoreLimits(fast, fast), Access(100e9))
    10.0
    """
    return max(read_s(source, access), write_s(target, access))


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
