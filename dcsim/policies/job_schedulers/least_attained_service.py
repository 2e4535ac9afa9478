"""Least attained service: who has had little goes first, without knowing how long jobs take."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Hashable
from typing import ClassVar

import numpy as np
from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError

from dcsim.policies.job import Job
from dcsim.policies.job_queue import Key
from dcsim.policies.job_scheduler import JobScheduler, make_way
from dcsim.policies.room import Room
from dcsim.units import SECONDS_PER_HOUR, PositiveSeconds

_ROUNDING = 1e-12  # of sums of attained service


class LeastAttainedService(JobScheduler):
    """Discretised two-dimensional least attained service (2D-LAS).

    Gu et al., "Tiresias: A GPU Cluster Manager for Distributed Deep Learning", NSDI 2019, section 3.2. A
    job's attained service is accelerators x run time. Thresholds on it split jobs into levels: lower levels
    go first and preempt higher ones; within a level jobs run in the order of submission, to their end.
    """

    is_preemptive: ClassVar[bool] = True

    thresholds_s: tuple[PositiveSeconds, ...] = Field(
        default=(SECONDS_PER_HOUR,),
        alias="thresholds",
        min_length=1,
        max_length=16,
        description="Attained service in accelerator-time (1 h is one accelerator for an hour) at which "
        "a job falls to the next level, rising.",
    )

    @field_validator("thresholds_s")
    @classmethod
    def _rising(cls, thresholds_s: tuple[float, ...]) -> tuple[float, ...]:
        if list(thresholds_s) != sorted(set(thresholds_s)):
            raise PydanticCustomError("thresholds", "must rise from one to the next")
        return thresholds_s

    def key(self, job: Job) -> Key:
        """Level, then submission."""
        return (self._level(job.attained_s), job.submitted_at_s)

    def decide(self, room: Room) -> None:
        """Start jobs in order, on accelerators of higher levels if need be."""
        skipped: set[Hashable] = set()
        for job in room.queue.in_order(skipped):
            if not room.try_start(job) and not make_way(room, job, self._above(room, job)):
                skipped.add(self.kind(job))

    def wake_at_s(self, room: Room) -> float | None:
        """When the next running job falls to a higher level, if others wait."""
        if not room.queue:
            return None
        attained_s, nums_held = room.running.service.at_s(room.now_s)
        attained_s *= 1 + _ROUNDING
        levels = np.searchsorted(self.thresholds_s, attained_s, side="right")
        falling = np.flatnonzero((levels < len(self.thresholds_s)) & (nums_held > 0))
        limits_s = np.array(self.thresholds_s)[levels[falling]]
        falls_in_s = (limits_s - attained_s[falling]) / nums_held[falling]
        return room.now_s + float(falls_in_s.min(initial=np.inf))

    def _above(self, room: Room, job: Job) -> list[Job]:
        """Running jobs of higher levels, the last to be served first."""
        level = self._level(job.attained_s)
        if level == len(self.thresholds_s):
            return []
        limit_s = self.thresholds_s[level] / (1 + _ROUNDING)
        found, attained_s = room.running.service.jobs_from(limit_s, room.now_s)
        levels = np.searchsorted(self.thresholds_s, attained_s * (1 + _ROUNDING), side="right").tolist()
        rows = [
            (at, other.submitted_at_s, other.number, other) for at, other in zip(levels, found, strict=True)
        ]
        return [other for *_, other in sorted(rows, reverse=True)]

    def _level(self, attained_s: float) -> int:
        return bisect_right(self.thresholds_s, attained_s * (1 + _ROUNDING))
