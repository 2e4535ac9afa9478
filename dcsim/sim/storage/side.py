"""One side of a store, the store itself or the cache in front of it, and visits to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import simpy

from dcsim.formulas.storage import Access, AccessLimits, StoreLimits, transfer_demands
from dcsim.sim.storage.storage_log import LoadMeter
from dcsim.sim.storage.tier import Wanted, build_tier
from dcsim.sim.storage.transfer_work import TransferWork


class Side:
    """What serves one side of a store, and its load for the log.

    ``used_bytes`` says how much it holds.
    """

    def __init__(
        self,
        environment: simpy.Environment,
        meter: LoadMeter,
        limits: StoreLimits,
        num_nodes: int,
        used_bytes: Callable[[], float],
    ) -> None:
        self.environment = environment
        self.limits = limits
        self.num_transfers = 0
        self.tier = build_tier(environment, limits, num_nodes, self.measure)
        self._meter = meter
        self._used_bytes = used_bytes

    def measure(self) -> None:
        """Note the load, if it has changed."""
        self._meter.update(self.environment.now, self.tier.load, self.num_transfers, self._used_bytes())

    def limits_for(self, *, is_write: bool) -> AccessLimits:
        """What bounds its writing, or its reading."""
        return self.limits.writing if is_write else self.limits.reading

    def wanted(self, access: Access, *, is_write: bool) -> Wanted:
        """What a transfer wants of it; more nodes get more of a store that they share."""
        limits = self.limits_for(is_write=is_write)
        if self.limits.is_local:
            part = access.of_one_node()
            return Wanted(transfer_demands(limits, part), part.num_bytes, is_write)
        return Wanted(transfer_demands(limits, access), access.num_bytes, is_write, float(access.num_nodes))

    def finish(self) -> None:
        """Close the stretch of load that the end of the simulation cuts."""
        self._meter.finish(self.environment.now)


class Visit:
    """Bytes that move at one side: the latency first, then a fair share of it. Calls back at the end."""

    def __init__(
        self,
        side: Side,
        nodes: Sequence[int],
        access: Access,
        *,
        is_write: bool,
        on_done: Callable[[], None],
    ) -> None:
        self._side, self._nodes, self._access, self._is_write = side, nodes, access, is_write
        self._on_done = on_done
        self._work = TransferWork(self._finish)
        self._is_over = False
        side.num_transfers += 1
        side.measure()
        side.environment.timeout(side.limits_for(is_write=is_write).latency_s).callbacks.append(self._begin)

    def give_up(self) -> None:
        """End it without calling back; nothing happens if it has ended."""
        if not self._is_over:
            self._work.cancel()
            self._leave()

    def _begin(self, _: simpy.Event) -> None:
        if not self._is_over:
            wanted = self._side.wanted(self._access, is_write=self._is_write)
            self._side.tier.start(self._nodes, wanted, self._work)
            self._work.close()

    def _finish(self) -> None:
        self._leave()
        self._on_done()

    def _leave(self) -> None:
        self._is_over = True
        self._side.num_transfers -= 1
        self._side.measure()
