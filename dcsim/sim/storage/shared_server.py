"""A server that all its users share at once, fairly: processor sharing with limits.

One resource of a store (bandwidth, operations, metadata). Every portion of work progresses all the time, at
the rate that its weighted max-min share gives it; the server is never idle while it has work that may go
faster. Between changes rates are constant, so that finishes are computed, not stepped to.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import simpy

from dcsim.formulas.fair_share import fair_shares
from dcsim.formulas.storage import Demand
from dcsim.sim.storage.transfer_work import TransferWork

_SLOWEST_PER_S = 1e-300  # of a portion: no end comes of less
_SAME_INSTANT = 1.0 + 1e-12  # portions due within this factor of the first are finished with it


@dataclass(slots=True, eq=False)
class Portion:
    """One user's work at a server: what it asks for, and how much of it is left (1 to 0).

    A stream has no end: its demand is that of one second of it, and ``on_rate`` is told the part of its full
    rate that it gets, whenever that changes.
    """

    work: TransferWork
    demand: Demand
    weight: float
    num_bytes: float = 0.0
    is_write: bool = False
    left_frac: float = 1.0
    share_frac: float = 0.0
    rate_per_s: float = 0.0  # the part of the work that is done in a second
    on_rate: Callable[[Portion, float], None] | None = None

    @property
    def is_stream(self) -> bool:
        """Whether it goes on until it is dropped."""
        return self.on_rate is not None

    @property
    def most_share_frac(self) -> float:
        """The share of the server that its own nodes can use."""
        if self.demand.own_s <= self.demand.shared_s:
            return 1.0
        return self.demand.shared_s / self.demand.own_s

    def grant(self, share_frac: float) -> None:
        """Give it a share of the server; work that needs nothing of it goes at the rate of its own nodes."""
        if self.demand.shared_s > 0.0:
            self.share_frac, self.rate_per_s = share_frac, share_frac / self.demand.shared_s
        else:
            self.share_frac, self.rate_per_s = 0.0, 1.0 / self.demand.own_s


class SharedServer:
    """Processor sharing on the clock. ``on_change`` is called whenever rates have changed."""

    def __init__(self, environment: simpy.Environment, on_change: Callable[[], None] | None = None) -> None:
        self._environment = environment
        self._on_change = on_change
        self._portions: dict[Portion, None] = {}
        self._due: list[Portion] = []
        self._advanced_at_s = environment.now
        self._version = 0
        self._is_stale = False

    def __len__(self) -> int:
        return len(self._portions)

    @property
    def portions(self) -> tuple[Portion, ...]:
        """Work under way, oldest first."""
        return tuple(self._portions)

    @property
    def used_frac(self) -> float:
        """The share of the server in use."""
        return sum(portion.share_frac for portion in self._portions)

    def bytes_per_s(self, *, is_write: bool) -> float:
        """Bytes read, or written, per second."""
        return sum(
            portion.num_bytes * portion.rate_per_s
            for portion in self._portions
            if portion.is_write is is_write
        )

    def start(self, portion: Portion) -> None:
        """Take on work. Work that takes no time is not taken on."""
        if portion.demand.alone_s <= 0.0:
            return
        self._advance()
        self._portions[portion] = None
        portion.work.begin(self, portion)
        self._share_anew()

    def drop(self, portion: Portion) -> None:
        """Give up work that is not done."""
        self._advance()
        self._portions.pop(portion, None)
        self._share_anew()

    def copy_to(self, other: SharedServer) -> None:
        """Give another server the same work, as far as it is done here."""
        self._advance()
        for portion in self._portions:
            twin = Portion(
                portion.work,
                portion.demand,
                portion.weight,
                portion.num_bytes,
                portion.is_write,
                portion.left_frac,
                on_rate=portion.on_rate,
            )
            other._portions[twin] = None
            portion.work.begin(other, twin)
        other._share_anew()

    def _advance(self) -> None:
        """Progress all work to now at the rates held since the last change."""
        elapsed_s = self._environment.now - self._advanced_at_s
        self._advanced_at_s = self._environment.now
        if elapsed_s > 0.0:
            for portion in self._portions:
                if portion.is_stream:
                    continue
                portion.left_frac = max(0.0, portion.left_frac - elapsed_s * portion.rate_per_s)

    def _share_anew(self) -> None:
        """Recompute shares once for all that changes at this instant: after the events already due now."""
        if not self._is_stale:
            self._is_stale = True
            self._environment.timeout(0.0).callbacks.append(lambda _: self._share())

    def _share(self) -> None:
        self._is_stale = False
        self._version += 1
        portions = list(self._portions)
        shares = fair_shares([one.weight for one in portions], [one.most_share_frac for one in portions])
        for portion, share_frac in zip(portions, shares, strict=True):
            portion.grant(share_frac)
        self._wait_for_first([portion for portion in portions if not portion.is_stream])
        if self._on_change is not None:
            self._on_change()
        for portion in portions:
            if portion.on_rate is not None:
                portion.on_rate(portion, portion.rate_per_s)

    def _wait_for_first(self, portions: list[Portion]) -> None:
        """Wake up when the first of them ends, if nothing changes before."""
        if not portions:
            return
        left_s = [_time_left_s(portion) for portion in portions]
        first_s = min(left_s)
        self._due = [
            one for one, due_s in zip(portions, left_s, strict=True) if due_s <= first_s * _SAME_INSTANT
        ]
        if math.isinf(first_s):
            return  # at such rates nothing ends while the clock can count
        version = self._version
        self._environment.timeout(first_s).callbacks.append(lambda _: self._finish(version))

    def _finish(self, version: int) -> None:
        """End the work that is due, unless something has changed since it was computed."""
        if version != self._version:
            return
        self._advance()
        done = [portion for portion in self._due if portion in self._portions]
        for portion in done:
            del self._portions[portion]
        self._share_anew()
        for portion in done:
            portion.work.end(portion)


def _time_left_s(portion: Portion) -> float:
    """Time to its end at its rate; infinite where no number is large enough for it."""
    if portion.left_frac == 0.0:
        return 0.0
    return portion.left_frac / portion.rate_per_s if portion.rate_per_s > _SLOWEST_PER_S else math.inf
