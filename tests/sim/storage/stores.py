"""Stores for tests, and a clock to run them on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import simpy

from dcsim.catalog.store import StoreScope
from dcsim.formulas.storage import AccessLimits, StoreLimits
from dcsim.sim.storage.storage_log import StorageLog
from dcsim.sim.storage.store import Store
from dcsim.spec.storage import CacheWrites, StoreDeployment

NUM_NODES = 16


@dataclass
class Bench:
    """A store on a clock of its own."""

    environment: simpy.Environment
    store: Store
    log: StorageLog

    def finished_at_s(self, *transfers: simpy.Event) -> list[float]:
        """Run until all of them have ended; when each did."""
        ends: dict[simpy.Event, float] = {}
        for one in transfers:
            one.callbacks.append(lambda event: ends.__setitem__(event, self.environment.now))
        self.environment.run()
        return [ends[one] for one in transfers]

    def at(self, instant_s: float, action: object) -> None:
        """Do something later."""
        assert callable(action)
        self.environment.timeout(instant_s).callbacks.append(lambda _: action())


def limits(
    bytes_per_s: float,
    *,
    latency_s: float = 0.0,
    node_bytes_per_s: float = float("inf"),
    capacity_bytes: float = float("inf"),
    is_local: bool = False,
    **more: float,
) -> StoreLimits:
    """A store that reads as fast as it writes."""
    access = AccessLimits(bytes_per_s, node_bytes_per_s, latency_s=latency_s, **more)  # type: ignore[arg-type]
    return StoreLimits(access, access, capacity_bytes, is_local)


def bench(
    store: StoreLimits,
    *,
    cache: StoreLimits | None = None,
    writes: CacheWrites = CacheWrites.THROUGH,
    carrier: object = None,
) -> Bench:
    """A store with these limits."""
    environment, log = simpy.Environment(), StorageLog()
    deployment = StoreDeployment("disk", StoreScope.CLUSTER, store, cache, writes)
    made = Store(environment, deployment, log, num_nodes=NUM_NODES, carrier=carrier)  # type: ignore[arg-type]
    return Bench(environment, made, log)


class SlowWire:
    """A carrier with a bandwidth of its own."""

    def __init__(self, bytes_per_s: float) -> None:
        self.bytes_per_s = bytes_per_s
        self.environment: simpy.Environment | None = None
        self.carried: list[tuple[str, float, bool]] = []

    def carry(
        self, nodes: Sequence[int], gateway: str, num_bytes: float, *, is_write: bool, label: str
    ) -> simpy.Event:
        assert self.environment is not None
        self.carried.append((gateway, num_bytes, is_write))
        return self.environment.timeout(num_bytes / self.bytes_per_s)
