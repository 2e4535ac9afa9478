"""Streams: reads that go on at a steady rate, such as a training job's samples, until they are released."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from dcsim.formulas.storage import steady_bytes_per_s, stream_demands
from dcsim.sim.storage.shared_server import Portion
from dcsim.sim.storage.side import Side
from dcsim.sim.storage.tier import Wanted
from dcsim.sim.storage.transfer_work import TransferWork


class Stream:
    """Reads so many bytes per second if it can; ``share_frac`` is the part of that which it gets.

    It has a share of its own at each side that it reads from and at each resource there; the smallest counts.
    ``on_change`` is told the share whenever it changes.
    """

    def __init__(self, on_change: Callable[[float], None] | None = None) -> None:
        self._on_change = on_change
        self._work = TransferWork(lambda: None)
        self._sides: list[Side] = []
        self._rates: dict[Portion, float] = {}
        self._told_frac = 1.0
        self._is_released = False

    @property
    def share_frac(self) -> float:
        """The part of its full rate that it gets."""
        return min(self._rates.values(), default=1.0)

    def read_from(self, side: Side, nodes: Sequence[int], bytes_per_s: float, bytes_per_file: float) -> None:
        """Read a part of the stream from one side of a store.

        It asks for no more of any resource than the scarcest for it, alone, lets through.
        """
        num_nodes, limits = len(nodes), side.limits_for(is_write=False)
        of_one = bytes_per_s / num_nodes if side.limits.is_local else bytes_per_s
        num_sharing = 1 if side.limits.is_local else num_nodes
        alone = min(of_one, steady_bytes_per_s(limits, num_sharing, bytes_per_file))
        alone_frac = alone / of_one if of_one else 1.0
        demands = stream_demands(limits, num_sharing, alone, bytes_per_file)
        wanted = Wanted(
            demands,
            alone,
            False,
            float(num_sharing),
            lambda portion, rate_frac: self._hear(portion, alone_frac * rate_frac),
        )
        side.num_transfers += 1
        self._sides.append(side)
        side.tier.start(nodes, wanted, self._work)
        side.measure()

    def release(self) -> None:
        """End it. Releasing twice does nothing."""
        self._is_released = True
        self._work.cancel()
        for side in self._sides:
            side.num_transfers -= 1
            side.measure()
        self._sides.clear()
        self._rates.clear()

    def _hear(self, portion: Portion, rate_frac: float) -> None:
        if self._is_released:  # by whoever was told a moment ago
            return
        self._rates[portion] = rate_frac
        share_frac = self.share_frac
        if share_frac != self._told_frac:
            self._told_frac = share_frac
            if self._on_change is not None:
                self._on_change(share_frac)
