"""Movements: transfers that end, and occupations that stay until they are released."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

import simpy

from dcsim.networks.flow import AnyFlow
from dcsim.networks.routes import Route


@dataclass(slots=True, eq=False)
class Movement:
    """What transfers and occupations share: flows, and the time without a way."""

    number: int
    label: str
    flows: tuple[AnyFlow, ...]
    started_at_s: float
    num_stalled: int = 0
    _stalled_s: float = 0.0
    _stalled_at_s: float = 0.0

    @property
    def num_bytes(self) -> float:
        """Bytes of all flows."""
        return sum(flow.num_bytes * flow.num_flows for flow in self.flows)

    @property
    def num_flows(self) -> int:
        """Flows, each member of a bundle counted."""
        return sum(flow.num_flows for flow in self.flows)

    def stall(self, change: int, now_s: float) -> None:
        """Count flows that lose their way, or find one."""
        if self.num_stalled == 0:
            self._stalled_at_s = now_s
        self.num_stalled += change
        if self.num_stalled == 0:
            self._stalled_s += now_s - self._stalled_at_s

    def stalled_s(self, now_s: float) -> float:
        """Time so far during which at least one flow had no way."""
        return self._stalled_s + (now_s - self._stalled_at_s if self.num_stalled else 0.0)


@dataclass(slots=True, eq=False)
class Transfer(Movement):
    """Flows that are done when their last byte has arrived."""

    done: simpy.Event | None = None
    num_left: int = 0
    finished_at_s: float = math.nan


@dataclass(slots=True, eq=False)
class Occupation(Movement):
    """Persistent flows: what a job keeps sending. ``share_frac`` is what it gets of what it asked.

    Flows ``in_bursts`` send at their ``max_bytes_per_s`` on average, but in bursts between stretches of
    computing: the share is then what a burst finds of the rate at which its node sends, beside the mean
    load of all others (what they leave of a link, or its fair share if that is more). Shares that change by
    less than ``least_change_frac`` are not told.

    A flow asks for its ``max_bytes_per_s`` or, if that is infinite, for what it would have alone. The slowest
    flow counts, since a collective waits for it. The share is 0 while a flow has no way left.
    """

    on_change: Callable[[float], None] | None = None
    share_frac: float = 1.0
    in_bursts: bool = False
    least_change_frac: float = 1e-9
    is_released: bool = False
    members: list[Member] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Member:
    """One flow of a movement: waiting for its latency, in a slot, or stalled without a way."""

    flow: AnyFlow
    movement: Transfer | Occupation
    remaining: float
    route: Route
    slot: int | None = None
    is_detour: bool = False  # whether its way is other than that in the whole network
    asked_bytes_per_s: float = math.inf

    @property
    def is_released(self) -> bool:
        """Whether it belongs to an occupation that has ended."""
        return isinstance(self.movement, Occupation) and self.movement.is_released


AnyMovement: TypeAlias = Transfer | Occupation
