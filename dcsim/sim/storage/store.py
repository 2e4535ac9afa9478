"""A store on the clock: transfers that share it, its capacity, its cache and the way over the fabric."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import simpy

from dcsim.formulas.storage import Access, StoreLimits
from dcsim.sim.storage.cache_content import CacheContent, Content
from dcsim.sim.storage.capacity import Capacity, Holding
from dcsim.sim.storage.moves import Carrier, Move, Mover, Order
from dcsim.sim.storage.side import Side, Visit
from dcsim.sim.storage.storage_log import LoadMeter, StorageLog
from dcsim.sim.storage.stream import Stream
from dcsim.sim.storage.transfer import Transfer
from dcsim.spec.storage import CacheWrites, StoreDeployment
from dcsim.tables.storage import StorageOperation

DRAIN = "drain"  # label of what a cache passes on to its store


class Store:
    """One store of the cluster, or the local stores of all its nodes.

    ``read`` and ``write`` return at once with the event of their end. What happens to a transfer: the latency
    passes; then its bytes, operations and metadata operations progress side by side, each at its fair share,
    and, where a carrier is given and the store is not local, over the fabric as well; the slowest ends it.
    """

    def __init__(
        self,
        environment: simpy.Environment,
        deployment: StoreDeployment,
        log: StorageLog,
        *,
        num_nodes: int,
        carrier: Carrier | None = None,
    ) -> None:
        self.deployment = deployment
        self._environment = environment
        self._num_nodes = num_nodes
        self._mover = Mover(environment, deployment.name, log, carrier)
        self._capacity = Capacity(deployment.name, deployment.limits)
        self._store = self._side(log, deployment.name, deployment.limits, lambda: self._capacity.used_bytes)
        self._cache: Side | None = None
        self._content = CacheContent(self._cache_capacity_bytes)
        self._dirty_bytes = 0.0
        if deployment.cache is not None:
            name = deployment.cache_name
            self._cache = self._side(log, name, deployment.cache, lambda: self._content.used_bytes)

    @property
    def now_s(self) -> float:
        """The present instant."""
        return float(self._environment.now)

    @property
    def is_local(self) -> bool:
        """Whether every node has its own."""
        return self._store.limits.is_local

    @property
    def used_bytes(self) -> float:
        """Capacity reserved."""
        return self._capacity.used_bytes

    def free_bytes(self, nodes: Sequence[int] = ()) -> float:
        """Capacity left; in the local stores of the nodes, when shared out evenly."""
        return self._capacity.free_bytes(nodes)

    def reserve(self, num_bytes: float, nodes: Sequence[int] = (), *, what: str = "checkpoint") -> Holding:
        """Reserve capacity, in the nodes' own stores where it is local. Raises InfeasibleError."""
        holding = self._capacity.reserve(num_bytes, nodes, what)
        self._store.measure()
        return holding

    def release(self, holding: Holding) -> None:
        """Give capacity back. What was lost with a node is gone already."""
        self._capacity.release(holding)
        self._store.measure()

    def lose_node(self, node: int) -> list[Holding]:
        """A node is replaced: forget what its own store and cache held; the holdings that are damaged.

        Transfers under way are not touched: whoever asked for them cancels them.
        """
        if self._cache is not None and self._cache.limits.is_local:
            self._content.lose(1.0 / self._num_nodes)
        damaged = self._capacity.lose(node) if self._store.limits.is_local else []
        self._store.measure()
        return damaged

    def read(
        self,
        nodes: Sequence[int],
        num_bytes: float,
        *,
        num_files: int = 1,
        label: str = "",
        content: Content | None = None,
    ) -> Transfer:
        """Read to the nodes, evenly. ``content`` names what is read, for a cache to find and keep it."""
        transfer = Transfer(self._environment, num_bytes)
        order = Order(StorageOperation.READ, nodes, label)
        moves, hit, kept = [], 0.0, 0.0
        if self._cache is not None and content is not None:
            hit, kept = self._content.read(content, num_bytes)
            if hit > 0.0:
                num_hits = max(1, round(num_files * hit / num_bytes))
                moves.append(Move(self._cache, hit, num_hits, not self._cache.limits.is_local))
                num_files = max(1, num_files - num_hits)
            if kept > 0.0:  # what was missed is kept meanwhile, and nobody waits for that
                fill = Access(kept, 1, len(nodes))
                Visit(self._cache, nodes, fill, is_write=True, on_done=lambda: None)
        if hit < num_bytes or num_bytes == 0.0:
            moves.append(Move(self._store, num_bytes - hit, num_files, not self._store.limits.is_local))
        self._mover.run(transfer, order, moves, transfer.finish_durably)
        return transfer

    def write(
        self,
        nodes: Sequence[int],
        num_bytes: float,
        *,
        num_files: int = 1,
        label: str = "",
        content: Content | None = None,
    ) -> Transfer:
        """Write from the nodes, evenly. ``content`` names what is written, for a cache to keep it."""
        transfer = Transfer(self._environment, num_bytes)
        order = Order(StorageOperation.WRITE, nodes, label)
        if content is not None:
            transfer.callbacks.append(lambda _: self._keep(content))
        to_store = Move(self._store, num_bytes, num_files, not self._store.limits.is_local)
        if self._cache is None:
            self._mover.run(transfer, order, [to_store], transfer.finish_durably)
        elif self._takes_back(num_bytes):
            self._write_back(transfer, order, num_files)
        else:  # to the store by way of the cache: the bytes cross the fabric once
            to_cache = Move(self._cache, num_bytes, num_files, is_carried=False)
            self._mover.run(transfer, order, [to_cache, to_store], transfer.finish_durably)
        return transfer

    def stream(
        self,
        nodes: Sequence[int],
        bytes_per_s: float,
        *,
        bytes_per_file: float = math.inf,
        hit_frac: float = 0.0,
        label: str = "",
        on_change: Callable[[float], None] | None = None,
    ) -> Stream:
        """Read at a steady rate until it is released; ``hit_frac`` of it from the cache, if there is one.

        ``cached_frac`` says what the cache finds of a data set, and ``count_read`` tells it what was read.
        What does not lie on the nodes themselves crosses the fabric, where a carrier is given.
        """
        stream, carried_frac = Stream(on_change), 0.0
        parts = ((self._cache, hit_frac), (self._store, 1.0 - hit_frac if self._cache is not None else 1.0))
        for side, frac in parts:
            if side is not None and frac > 0.0:
                stream.read_from(side, nodes, bytes_per_s * frac, bytes_per_file)
                carried_frac += 0.0 if side.limits.is_local else frac
        carrier, name = self._mover.carrier, self.deployment.name
        if carrier is not None and bytes_per_s * carried_frac > 0.0:
            stream.cross_by(
                lambda rate, tell: carrier.stream(nodes, name, rate, label=label, on_change=tell),
                bytes_per_s * carried_frac,
            )
        return stream

    def cached_frac(self, content: Content) -> float:
        """What the cache finds of the present epoch of a content that is read."""
        return 0.0 if self._cache is None else self._content.found_frac(content)

    def bytes_to_change(self, content: Content) -> float:
        """Bytes to be read of a content until the cache finds another share of it; infinite for never."""
        return math.inf if self._cache is None else self._content.unread_bytes(content)

    def count_read(self, content: Content, num_bytes: float) -> None:
        """So much of a content has been read by a stream: the cache keeps what it can of it."""
        if self._cache is not None:
            self._content.read(content, num_bytes)
            self._cache.measure()

    def finish(self) -> None:
        """Close the stretches of load that the end of the simulation cuts."""
        for side in (self._store, self._cache):
            if side is not None:
                side.finish()

    def _side(self, log: StorageLog, name: str, limits: StoreLimits, used_bytes: Callable[[], float]) -> Side:
        meter = LoadMeter(name, log, self._environment.now)
        return Side(self._environment, meter, limits, self._num_nodes, used_bytes)

    def _keep(self, content: Content) -> None:
        self._content.write(content)

    @property
    def _cache_capacity_bytes(self) -> float:
        """What the cache holds, those of all nodes together where they are local."""
        cache = self.deployment.cache
        return 0.0 if cache is None else cache.capacity_bytes * (self._num_nodes if cache.is_local else 1)

    def _takes_back(self, num_bytes: float) -> bool:
        """Whether the cache takes a write alone: it must have room beside what it has not drained yet."""
        is_back = self.deployment.cache_writes is CacheWrites.BACK
        return is_back and self._dirty_bytes + num_bytes <= self._cache_capacity_bytes

    def _write_back(self, transfer: Transfer, order: Order, num_files: int) -> None:
        """Write to the cache, which ends the transfer; then drain to the store, which makes it durable."""
        assert self._cache is not None
        is_local, num_bytes = self._cache.limits.is_local, transfer.num_bytes
        to_cache = Move(self._cache, num_bytes, num_files, is_carried=not is_local)
        to_store = Move(
            self._store, num_bytes, num_files, is_carried=is_local and not self._store.limits.is_local
        )

        def clean() -> None:
            self._dirty_bytes -= num_bytes

        def drain() -> None:
            transfer.succeed(num_bytes)
            self._mover.run(
                transfer, Order(StorageOperation.WRITE, order.nodes, DRAIN), [to_store], transfer.make_durable
            )

        self._dirty_bytes += num_bytes
        transfer.durable.callbacks.append(lambda _: clean())
        transfer.when_cancelled(clean)
        self._mover.run(transfer, order, [to_cache], drain)
