"""One side of a store, the store itself or the cache in front of it, and visits to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import simpy

from dcsim.formulas.storage import Access, StoreLimits
from dcsim.sim.storage.storage_log import LoadMeter
from dcsim.sim.storage.tier import build_tier
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
        limits = side.limits.writing if is_write else side.limits.reading
        side.num_transfers += 1
        side.measure()
        side.environment.timeout(limits.latency_s).callbacks.append(self._begin)

    def give_up(self) -> None:
        """End it without calling back; nothing happens if it has ended."""
        if not self._is_over:
            self._work.cancel()
            self._leave()

    def _begin(self, _: simpy.Event) -> None:
        if not self._is_over:
            self._side.tier.start(self._nodes, self._access, self._work, is_write=self._is_write)
            self._work.close()

    def _finish(self) -> None:
        self._leave()
        self._on_done()

    def _leave(self) -> None:
        self._is_over = True
        self._side.num_transfers -= 1
        self._side.measure()
