"""Quota: each queue owns a number of accelerators, and others borrow what it leaves idle."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Mapping
from typing import ClassVar

from pydantic import Field

from dcsim.policies.job import Job
from dcsim.policies.job_scheduler import JobScheduler, make_way
from dcsim.policies.room import Room


class Quota(JobScheduler):
    """Jobs within their queue's quota start first; idle quota is lent and taken back when its owner needs it.

    A borrowed job is one that takes its queue above its quota. Within a queue jobs start in order. A job
    within quota that finds no room preempts jobs of queues above theirs, the latest started first.
    """

    is_preemptive: ClassVar[bool] = True

    quotas: Mapping[str, int] = Field(
        default_factory=dict, description="Accelerators that each queue owns; 0 for those that are not named."
    )
    can_borrow: bool = Field(
        default=True, alias="borrowing", description="Queues may use what others leave idle."
    )

    lets_pass: bool = Field(
        default=True,
        alias="let_pass",
        description="Jobs behind one of their queue that cannot start may start (Kueue's BestEffortFIFO); "
        "else a queue waits for its first (StrictFIFO).",
    )

    def kind(self, job: Job) -> Hashable:
        """A line for each queue, or for each size in it, that can be passed over."""
        return (job.queue, job.request) if self.lets_pass else job.queue

    def decide(self, room: Room) -> None:
        """Start jobs within quota, by preemption if need be, then jobs that borrow."""
        if not len(room.queue):
            return
        used = defaultdict(float, room.running.num_held_by_queue())
        skipped: set[Hashable] = set()
        for job in room.queue.in_order(skipped):
            is_within = used[job.queue] + job.num_held <= self.quotas.get(job.queue, 0)
            if is_within and (room.try_start(job) or self._reclaim(room, job, used)):
                used[job.queue] += job.num_held
            else:
                skipped.add(self.kind(job))
        if self.can_borrow:
            self._lend(room)

    def refusal(self, job: Job) -> str | None:
        """A job larger than its queue's quota where nothing may be borrowed."""
        quota = self.quotas.get(job.queue, 0)
        if self.can_borrow or job.num_held <= quota:
            return None
        return f"asks for {job.num_held:g} accelerators, its queue's quota is {quota}"

    def _lend(self, room: Room) -> None:
        skipped: set[Hashable] = set()
        for job in room.queue.in_order(skipped):
            if not room.try_start(job):
                skipped.add(self.kind(job))

    def _reclaim(self, room: Room, job: Job, used: dict[str, float]) -> bool:
        """Start the job on borrowed accelerators; ``used`` keeps count."""
        excess = {queue: number - self.quotas.get(queue, 0) for queue, number in used.items()}
        victims = []
        for other in sorted(room.running, key=lambda o: (-o.started_at_s, -o.number)):
            if excess.get(other.queue, 0.0) > 0:
                excess[other.queue] -= other.num_held
                victims.append(other)
        if not make_way(room, job, victims):
            return False
        for victim in victims:
            if victim not in room.running:
                used[victim.queue] -= victim.num_held
        return True
