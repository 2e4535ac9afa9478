"""What is told when something fails, slows down or has to leave, and to whom."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from dcsim.catalog.reliability import Component


class Effect(StrEnum):
    """What a row of the table ``failures`` did."""

    STOP = "stop"
    SLOW = "slow"
    FORESEEN = "foreseen"
    FALSE_ALARM = "false_alarm"
    SLOW_FOUND = "slow_found"
    MAINTENANCE = "maintenance"


@dataclass(frozen=True, slots=True)
class Failure:
    """Something stopped. ``nodes`` are those that went down with it; none where only a job crashed."""

    cause: str
    component: Component
    nodes: tuple[int, ...]
    at_s: float


@dataclass(frozen=True, slots=True)
class Drain:
    """Nodes that should leave in an orderly way: who holds them saves its work and retires them.

    ``is_forced`` drains (maintenance) happen whether or not a spare can step in.
    """

    effect: Effect
    nodes: tuple[int, ...]
    is_forced: bool


class NodeListener(Protocol):
    """Who holds a node, and is told what happens to it: a job, a serving replica, the pool of spares.

    Calls come at the instant they tell of, before anything else happens at it. A failed node is down
    already; it comes back, repaired, to the pool of spares and not to who held it.
    """

    def on_failure(self, failure: Failure) -> None:
        """Some of its nodes have failed, or, with no nodes, the job itself."""

    def on_slow(self, node: int) -> None:
        """The node's slow factor has changed: ask the process for it."""

    def on_drain(self, drain: Drain) -> None:
        """Some of its nodes should leave; it retires them when its work is saved."""
