"""Least attained service: who has had little goes first, without knowing how long jobs take."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Hashable, Iterator
from itertools import takewhile
from typing import ClassVar

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
        last: list[tuple[int, float, int, Job]] | None = None
        for job in room.queue.in_order(skipped):
            if room.try_start(job):
                continue
            if last is None:  # running jobs, the last to be served first
                last = sorted(self._places(room), key=lambda item: item[:3], reverse=True)
            level = self._level(job.attained_s)
            higher = takewhile(lambda item: item[0] > level, last)  # noqa: B023 (consumed at once)
            if not make_way(room, job, (other for *_, other in higher if other in room.running)):
                skipped.add(self.kind(job))

    def wake_at_s(self, room: Room) -> float | None:
        """When the next running job falls to a higher level, if others wait."""
        if not room.queue:
            return None
        return min((self._falls_at_s(room.now_s, job) for job in room.running), default=None)

    def _places(self, room: Room) -> Iterator[tuple[int, float, int, Job]]:
        for job in room.running:
            yield self._level(job.attained_at_s(room.now_s)), job.submitted_at_s, job.number, job

    def _level(self, attained_s: float) -> int:
        return bisect_right(self.thresholds_s, attained_s * (1 + _ROUNDING))

    def _falls_at_s(self, now_s: float, job: Job) -> float:
        attained_s = job.attained_at_s(now_s)
        above = [limit_s for limit_s in self.thresholds_s if limit_s > attained_s * (1 + _ROUNDING)]
        if not above or not job.num_held:
            return float("inf")
        return now_s + (min(above) - attained_s) / job.num_held
