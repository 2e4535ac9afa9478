"""Streams: reads that go on at a steady rate, such as a training job's samples, until they are released."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from dcsim.formulas.storage import steady_bytes_per_s, stream_demands
from dcsim.sim.storage.moves import Crossing
from dcsim.sim.storage.shared_server import Portion
from dcsim.sim.storage.side import Side
from dcsim.sim.storage.tier import Wanted
from dcsim.sim.storage.transfer_work import TransferWork

Cross = Callable[[float, Callable[[float], None]], Crossing]  # a rate, and who is told of its share


class Stream:
    """Reads so many bytes per second if it can; ``share_frac`` is the part of that which it gets.

    It has a share of its own at each side that it reads from and at each resource there; the smallest counts.
    What the sides let through then crosses the fabric, which has its share of that; the sides do not slow
    down for bytes that the fabric holds up. ``on_change`` is told the share whenever it changes.
    """

    def __init__(self, on_change: Callable[[float], None] | None = None) -> None:
        self._on_change = on_change
        self._work = TransferWork(lambda: None)
        self._sides: list[Side] = []
        self._rates: dict[Portion, float] = {}
        self._crossing: Crossing | None = None
        self._crossing_bytes_per_s = 0.0
        self._told_frac = 1.0
        self._is_released = False

    @property
    def share_frac(self) -> float:
        """The part of its full rate that it gets."""
        crossing_frac = 1.0 if self._crossing is None else self._crossing.share_frac
        return self._sides_frac * crossing_frac

    @property
    def _sides_frac(self) -> float:
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

    def cross_by(self, cross: Cross, bytes_per_s: float) -> None:
        """Send so much of the stream over the fabric, as far as the sides let it through."""
        self._crossing_bytes_per_s = bytes_per_s
        self._crossing = cross(bytes_per_s * self._sides_frac, lambda _: self._tell())

    def release(self) -> None:
        """End it. Releasing twice does nothing."""
        self._is_released = True
        self._work.cancel()
        for side in self._sides:
            side.num_transfers -= 1
            side.measure()
        if self._crossing is not None:
            self._crossing.release()
            self._crossing = None
        self._sides.clear()
        self._rates.clear()

    def _hear(self, portion: Portion, rate_frac: float) -> None:
        if self._is_released:  # by whoever was told a moment ago
            return
        before_frac = self._sides_frac
        self._rates[portion] = rate_frac
        if self._crossing is not None and self._sides_frac != before_frac:
            self._crossing.ask(self._crossing_bytes_per_s * self._sides_frac)
        self._tell()

    def _tell(self) -> None:
        share_frac = self.share_frac
        if not self._is_released and share_frac != self._told_frac:
            self._told_frac = share_frac
            if self._on_change is not None:
                self._on_change(share_frac)
