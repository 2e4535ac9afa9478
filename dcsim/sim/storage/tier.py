"""Tiers: what serves the transfers of one store, shared by all nodes or of each node its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import simpy

from dcsim.formulas.storage import Demands, StoreLimits
from dcsim.sim.storage.shared_server import Portion, SharedServer
from dcsim.sim.storage.transfer_work import TransferWork


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a transfer, or a second of a stream, wants of a store; of each node's where it is local.

    A stream says with ``on_rate`` who is told what part of its full rate it gets.
    """

    demands: Demands
    num_bytes: float
    is_write: bool
    weight: float = 1.0
    on_rate: Callable[[Portion, float], None] | None = None


@dataclass(frozen=True, slots=True)
class TierLoad:
    """What a tier does at an instant. The share is of the bandwidth of all nodes where the store is local."""

    read_bytes_per_s: float
    write_bytes_per_s: float
    bandwidth_frac: float


class Tier(Protocol):
    """Serves transfers, side by side."""

    @property
    def load(self) -> TierLoad:
        """What it does now."""

    def start(self, nodes: Sequence[int], wanted: Wanted, work: TransferWork) -> None:
        """Take on a transfer or a stream; its parts begin and end at ``work``."""


class SharedTier:
    """One store for all nodes: a server each for bandwidth, operations and metadata.

    The three progress side by side, each shared fairly among those that want it; a transfer is done when it
    is done with all three. Alone it takes ``dcsim.formulas.storage.transfer_s`` less the latency.
    """

    def __init__(
        self, environment: simpy.Environment, limits: StoreLimits, on_change: Callable[[], None] | None = None
    ) -> None:
        self.limits = limits
        self._bandwidth = SharedServer(environment, on_change)
        self._operations = SharedServer(environment)
        self._metadata = SharedServer(environment)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is under way."""
        return not (len(self._bandwidth) or len(self._operations) or len(self._metadata))

    @property
    def load(self) -> TierLoad:
        """What it does now."""
        return TierLoad(
            self._bandwidth.bytes_per_s(is_write=False),
            self._bandwidth.bytes_per_s(is_write=True),
            self._bandwidth.used_frac,
        )

    def start(self, nodes: Sequence[int], wanted: Wanted, work: TransferWork) -> None:
        """Take on a transfer or a stream; its parts begin and end at ``work``."""
        demands = wanted.demands
        for server, demand, num_bytes in (
            (self._bandwidth, demands.bandwidth, wanted.num_bytes),
            (self._operations, demands.operations, 0.0),
            (self._metadata, demands.metadata, 0.0),
        ):
            portion = Portion(work, demand, wanted.weight, num_bytes, wanted.is_write, on_rate=wanted.on_rate)
            server.start(portion)

    def copy_to(self, other: SharedTier) -> None:
        """Give another tier the same work, as far as it is done here."""
        self._bandwidth.copy_to(other._bandwidth)
        self._operations.copy_to(other._operations)
        self._metadata.copy_to(other._metadata)


@dataclass(slots=True)
class _Alike:
    """Nodes whose stores have the same work to do: what one of them does, all do."""

    nodes: set[int]
    tier: SharedTier


class LocalTier:
    """A store in each node. Nodes with the same work are simulated as one.

    A gang that writes to 2,048 nodes is one transfer of one node, 2,048 times over; nodes are told apart only
    while their work differs. Exact, because equal stores with equal work stay equal.
    """

    def __init__(
        self,
        environment: simpy.Environment,
        limits: StoreLimits,
        num_nodes: int,
        on_change: Callable[[], None] | None = None,
    ) -> None:
        self._environment = environment
        self._limits = limits
        self._num_nodes = num_nodes
        self._on_change = on_change
        self._alike: list[_Alike] = []

    @property
    def load(self) -> TierLoad:
        """What all nodes' stores do now."""
        loads = [(len(one.nodes), one.tier.load) for one in self._alike]
        return TierLoad(
            sum(num * load.read_bytes_per_s for num, load in loads),
            sum(num * load.write_bytes_per_s for num, load in loads),
            sum(num * load.bandwidth_frac for num, load in loads) / self._num_nodes,
        )

    def start(self, nodes: Sequence[int], wanted: Wanted, work: TransferWork) -> None:
        """Take on a transfer or a stream, as ``wanted`` says of each node; its parts end at ``work``."""
        self._alike = [one for one in self._alike if not one.tier.is_idle]
        left = set(nodes)
        for one in list(self._alike):
            common = one.nodes & left
            if common:
                left -= common
                same = one if len(common) == len(one.nodes) else self._split(one, common)
                same.tier.start((), wanted, work)
        if left:
            self._fresh(left).tier.start((), wanted, work)

    def _fresh(self, nodes: set[int]) -> _Alike:
        alike = _Alike(nodes, SharedTier(self._environment, self._limits, self._on_change))
        self._alike.append(alike)
        return alike

    def _split(self, alike: _Alike, nodes: set[int]) -> _Alike:
        """Tell some nodes apart from those that had the same work, which they keep."""
        alike.nodes -= nodes
        apart = self._fresh(nodes)
        alike.tier.copy_to(apart.tier)
        return apart


def build_tier(
    environment: simpy.Environment,
    limits: StoreLimits,
    num_nodes: int,
    on_change: Callable[[], None] | None = None,
) -> Tier:
    """The tier of a store: one of each node where the store is local, one for all otherwise."""
    if limits.is_local:
        return LocalTier(environment, limits, num_nodes, on_change)
    return SharedTier(environment, limits, on_change)
