"""Runs: stretches of equal steps, which a checkpoint makes count and a failure undoes."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from dcsim.sim.training.cycle import Advance, Cycle, Place
from dcsim.tables.training import SpanKind


@dataclass(frozen=True, slots=True)
class StepParts:
    """The time of one step under its condition, by what stretches it, and the power of its accelerators."""

    undisturbed_s: float
    shrink_s: float = 0.0
    contention_s: float = 0.0
    input_s: float = 0.0
    slow_s: float = 0.0
    accelerator_rise_w: float = 0.0

    @property
    def total_s(self) -> float:
        """The step."""
        return self.undisturbed_s + self.shrink_s + self.contention_s + self.input_s + self.slow_s


@dataclass(frozen=True, slots=True)
class Run:
    """Steps and stalls from ``started_at_s`` on, under one condition.

    With a ``kind`` of its own it is neither productive nor lost, whatever becomes of the steps before.
    """

    cycle: Cycle
    parts: StepParts
    num_accelerators: int
    place: Place
    started_at_s: float
    duration_s: float
    kind: SpanKind | None = None

    @property
    def ended_at_s(self) -> float:
        """Its end."""
        return self.started_at_s + self.duration_s

    @property
    def stood_still(self) -> bool:
        """Whether the job was cut off from its network or its data, so that no step could go on."""
        return math.isinf(self.parts.total_s)

    def advance(self) -> Advance:
        """Where it ended."""
        return self.cycle.advance(self.place, self.duration_s)

    def split(self, after_s: float) -> tuple[Run, Run]:
        """The run before and after an instant, so many seconds from its start."""
        middle = self.cycle.advance(self.place, after_s).place
        first = replace(self, duration_s=after_s)
        rest_s = self.duration_s - after_s
        second = replace(self, place=middle, started_at_s=self.started_at_s + after_s, duration_s=rest_s)
        return first, second


@dataclass(frozen=True, slots=True)
class Stall:
    """Steps stand still, for as long as it takes: for a checkpoint, or for what ``kind`` says."""

    started_at_s: float
    num_accelerators: int
    is_save: bool = False
    kind: SpanKind | None = None

    def run(self, position: float, now_s: float, *, is_complete: bool) -> Run:
        """It as a run that ends now; one that was broken off saves nothing."""
        duration_s = now_s - self.started_at_s
        cycle = Cycle(step_s=1.0, stall_s=0.0, steps_per_save=1.0, last_position=position)
        place = Place(position, duration_s if is_complete and self.is_save else math.inf)
        held = self.num_accelerators
        return Run(cycle, StepParts(0.0), held, place, self.started_at_s, duration_s, self.kind)
