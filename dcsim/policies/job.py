"""A job as schedulers see it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from dcsim.policies.request import Part, Request


@dataclass(slots=True, eq=False)
class Job:
    """One job that waits or runs. Times are what the scheduler knows: estimates, not the truth."""

    number: int
    submitted_at_s: float
    request: Request  # as submitted
    estimated_s: float  # run time it is expected to need in all, as asked for
    queue: str = ""  # tenant, virtual cluster
    user: str = ""
    priority: float = 0.0  # larger goes first
    predicted_s: float = math.nan  # from the history of its user; NaN without one

    estimated_left_s: float = math.nan  # of the work that is not done yet
    attained_s: float = 0.0  # accelerator-seconds of service before the present run
    parts: tuple[Part, ...] = ()  # what it holds; empty while it waits
    num_held: float = 0.0  # accelerators it holds, or will hold
    started_at_s: float = math.nan  # of the present run
    restart_s: float = 0.0  # at the beginning of the present or the next run, without progress
    speed: float = 1.0  # of the present or the next run, relative to the size it asked for

    def __post_init__(self) -> None:
        self.estimated_left_s = self.estimated_s
        self.num_held = self.request.num_accelerators

    @property
    def held_request(self) -> Request:
        """What it asks for at its present size: cores and memory grow and shrink with its accelerators."""
        asked = self.request
        if self.num_held == asked.num_accelerators:
            return asked
        ratio = self.num_held / asked.num_accelerators
        return Request(self.num_held, asked.cores * ratio, asked.memory_bytes * ratio, asked.models)

    def expected_end_s(self, now_s: float) -> float:
        """When a running job should end, now at the earliest."""
        return max(now_s, self.started_at_s + self.expected_run_s)

    @property
    def expected_run_s(self) -> float:
        """How long the present or the next run should take."""
        return self.restart_s + self.estimated_left_s / self.speed

    def done_s(self, now_s: float) -> float:
        """Work that the present run has done so far, in run time at the size asked for."""
        return max(0.0, now_s - self.started_at_s - self.restart_s) * self.speed

    def attained_at_s(self, now_s: float) -> float:
        """Accelerator-seconds of service so far (two-dimensional attained service of Tiresias)."""
        return self.attained_s + (self.num_held * (now_s - self.started_at_s) if self.parts else 0.0)
