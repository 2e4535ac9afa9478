"""Priority: jobs of higher priority go first, and others make way for them."""

from __future__ import annotations

from collections.abc import Hashable
from typing import ClassVar

from pydantic import Field

from dcsim.policies.job import Job
from dcsim.policies.job_queue import Key
from dcsim.policies.job_scheduler import JobScheduler, make_way
from dcsim.policies.room import Room


class Priority(JobScheduler):
    """Jobs in order of priority, then of submission; one that finds no room preempts those of lower priority.

    Of these, the ones of the lowest priority stop first, the latest started before others, and no more than
    it takes. The queue waits for a job that cannot start even so.
    """

    is_preemptive: ClassVar[bool] = True

    preempts: bool = Field(
        default=True, alias="preemption", description="Whether jobs of lower priority make way."
    )

    def key(self, job: Job) -> Key:
        """Highest priority first."""
        return (-job.priority, job.submitted_at_s)

    def kind(self, job: Job) -> Hashable:
        """One line for all."""
        return None

    def decide(self, room: Room) -> None:
        """Start jobs in order, on others' accelerators if need be."""
        for job in room.queue:
            if not room.try_start(job) and not (self.preempts and make_way(room, job, _victims(room, job))):
                return


def _victims(room: Room, job: Job) -> list[Job]:
    lower = [other for other in room.running if other.priority < job.priority]
    if room.nodes.num_free + sum(other.num_held for other in lower) < job.num_held:
        return []
    return sorted(lower, key=lambda other: (other.priority, -other.started_at_s, -other.number))
