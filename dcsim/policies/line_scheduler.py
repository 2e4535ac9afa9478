"""Schedulers that take waiting jobs one by one in a fixed order."""

from __future__ import annotations

from collections.abc import Hashable

from pydantic import Field

from dcsim.policies.job import Job
from dcsim.policies.job_scheduler import JobScheduler, start_in_order
from dcsim.policies.room import Room


class LineScheduler(JobScheduler):
    """Base of the schedulers without preemption that differ in the order of the queue alone."""

    lets_pass: bool = Field(
        default=False,
        alias="let_pass",
        description="Jobs behind one that finds no room may start; else the queue waits for it.",
    )

    def kind(self, job: Job) -> Hashable:
        """One line for all, unless lines can be passed over."""
        return job.request if self.lets_pass else None

    def decide(self, room: Room) -> None:
        """Start jobs in order."""
        if not self.lets_pass:
            start_in_order(room)
            return
        skipped: set[Hashable] = set()
        for job in room.queue.in_order(skipped):
            if not room.try_start(job):
                skipped.add(self.kind(job))
