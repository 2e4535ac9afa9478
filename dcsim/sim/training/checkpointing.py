"""How a job saves and reads its checkpoints: in fixed times, or through whatever offers these two calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import simpy


class Save(NamedTuple):
    """A checkpoint under way: when the steps may go on, and when it is safe to fall back on."""

    stalled: simpy.Event
    durable: simpy.Event


@dataclass(frozen=True, slots=True)
class SaveTimes:
    """Times that depend on nothing: the stall, the drain after it (0 if synchronous), and the reading."""

    stall_s: float
    drain_s: float = 0.0
    restore_s: float = 0.0


class Checkpointing(Protocol):
    """How a job saves and reads its checkpoints."""

    @property
    def steps_per_save(self) -> int | None:
        """Steps from one checkpoint to the next; None for a job that never saves."""

    @property
    def times(self) -> SaveTimes | None:
        """The times, if nothing else can change them: many checkpoints are then passed in one jump."""

    def save(self, nodes: Sequence[int]) -> Save:
        """Begin a checkpoint from these nodes."""

    def restore(self, nodes: Sequence[int]) -> simpy.Event:
        """Begin to read the last checkpoint onto these nodes; succeeds when they all have it."""


@dataclass(frozen=True, slots=True)
class FixedCheckpoints:
    """Checkpoints whose times depend on nothing."""

    environment: simpy.Environment
    steps_per_save: int | None
    times: SaveTimes

    def save(self, nodes: Sequence[int]) -> Save:
        """Two timers."""
        stall_s = self.times.stall_s
        stalled = self.environment.timeout(stall_s)
        return Save(stalled, self.environment.timeout(stall_s + self.times.drain_s))

    def restore(self, nodes: Sequence[int]) -> simpy.Event:
        """A timer."""
        return self.environment.timeout(self.times.restore_s)
