"""Conservative backfill: later jobs may start early if no earlier one is delayed by it."""

from __future__ import annotations

from pydantic import Field

from dcsim.policies.availability import Availability
from dcsim.policies.job_scheduler import JobScheduler, start_in_order
from dcsim.policies.room import Room


class ConservativeBackfill(JobScheduler):
    """Every waiting job holds a reservation, made in the order of submission; a job starts when it is due.

    Mu'alem and Feitelson, "Utilization, predictability, workloads, and user runtime estimates in scheduling
    the IBM SP2 with backfilling", IEEE TPDS 12(6), 2001. Reservations count accelerators of the whole pool
    and are made anew at each decision; a job that is due but finds no node with room waits on.
    """

    depth: int = Field(
        default=100, gt=0, le=1_000_000, description="Waiting jobs that hold reservations; later ones wait."
    )

    def decide(self, room: Room) -> None:
        """Start every job whose reservation begins now."""
        if start_in_order(room) is None:
            return
        smallest = min(job.num_held for job in room.queue.kinds())
        num_free = room.nodes.num_free
        if smallest > num_free:
            return
        plan = Availability(room.now_s, num_free, *room.running.releases())
        jobs = room.queue.first_jobs(self.depth)
        next_start = 0  # the first job in line that could start now beside the reservations made so far
        for place, job in enumerate(jobs):
            next_start = max(next_start, place)
            while not plan.is_free_now(jobs[next_start].num_held, jobs[next_start].expected_run_s):
                next_start += 1
                if next_start == len(jobs):
                    return  # reservations only take room: none of the others can start any more
            if num_free < smallest:
                return
            starts_at_s = plan.earliest_s(job.num_held, job.expected_run_s)
            plan.reserve(starts_at_s, job.num_held, job.expected_run_s)
            if starts_at_s <= room.now_s and room.try_start(job):
                num_free -= job.num_held
