"""Shortest remaining time first: longer jobs make way for shorter ones."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from itertools import takewhile
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
            if not room.try_start(job) and not make_way(room, job, _longer(room, job)):
                skipped.add(self.kind(job))


def _longer(room: Room, job: Job) -> Iterator[Job]:
    """Running jobs that have more time left, the longest first."""
    longest_first = list(room.running)[::-1]
    ends_at_s = room.now_s + job.expected_run_s
    return takewhile(lambda other: other.expected_end_s(room.now_s) > ends_at_s, longest_first)
