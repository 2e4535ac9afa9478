"""Shortest remaining time first: longer jobs make way for shorter ones."""

from __future__ import annotations

from collections.abc import Hashable
from typing import ClassVar

from dcsim.policies.job import Job
from dcsim.policies.job_queue import Key
from dcsim.policies.job_scheduler import JobScheduler, make_way
from dcsim.policies.room import Room


class ShortestRemaining(JobScheduler):
    """The jobs with the least estimated time left run; a job preempts those that have strictly more left.

    On one accelerator, with exact estimates and free preemption, no other order has a smaller mean time in
    the system (Schrage, "A proof of the optimality of the shortest remaining processing time discipline",
    Operations Research 16(3), 1968).
    """

    is_preemptive: ClassVar[bool] = True

    def key(self, job: Job) -> Key:
        """Time left, then submission."""
        return (job.estimated_left_s, job.submitted_at_s)

    def decide(self, room: Room) -> None:
        """Start jobs in order, on longer jobs' accelerators if need be."""
        skipped: set[Hashable] = set()
        for job in room.queue.in_order(skipped):
            if room.try_start(job):
                continue
            left = [(other.expected_end_s(room.now_s) - room.now_s, other) for other in room.running]
            longer = [(left_s, other.number, other) for left_s, other in left if left_s > job.expected_run_s]
            longer.sort(key=lambda item: item[:2], reverse=True)
            if not make_way(room, job, [other for *_, other in longer]):
                skipped.add(self.kind(job))
