"""EASY backfill: later jobs may start early if the first in line is not delayed by it."""

from __future__ import annotations

from collections.abc import Hashable

from pydantic import Field

from dcsim.policies.job import Job
from dcsim.policies.job_scheduler import JobScheduler, start_in_order
from dcsim.policies.release_forecast import ReleaseForecast
from dcsim.policies.room import Room


class EasyBackfill(JobScheduler):
    """First come, first served, but jobs start early where that does not delay the first one that waits.

    Lifka, "The ANL/IBM SP scheduling system", JSSPP 1995; Mu'alem and Feitelson, IEEE TPDS 12(6), 2001. The
    first job's start is forecast from the estimated ends of running jobs, node by node. A later job may
    start if its estimate ends before then, or if the first job fits beside it then.
    """

    depth: int = Field(
        default=100, gt=0, le=1_000_000, description="Waiting jobs that are looked at beyond the first."
    )

    def decide(self, room: Room) -> None:
        """Start jobs in order, then those that delay the first waiting one by nothing."""
        first = start_in_order(room)
        if first is None or len(room.queue) == 1 or not room.nodes.num_free:
            return
        starts_at_s, forecast = first_start(room, first)
        skipped: set[Hashable] = set()
        for num_looked_at, job in enumerate(room.queue.in_order(skipped)):
            if num_looked_at > self.depth:
                return
            parts = room.parts_for(job)
            if parts is None:
                skipped.add(self.kind(job))
            elif room.now_s + job.expected_run_s <= starts_at_s:
                room.start(job, parts)
            else:
                forecast.take(parts)
                if forecast.fits:
                    room.start(job, parts)
                else:
                    forecast.give(parts)


def first_start(room: Room, first: Job) -> tuple[float, ReleaseForecast]:
    """When the job should find room at the latest, infinite if never, and what is free by then."""
    forecast = ReleaseForecast(room.nodes, first.held_request, is_split=room.placement.is_split)
    starts_at_s = float("inf")
    for job in room.running:
        ends_at_s = job.expected_end_s(room.now_s)
        if ends_at_s > starts_at_s:
            break
        forecast.give(job.parts)
        if forecast.fits:
            starts_at_s = ends_at_s  # what else ends at that instant is free too
    return starts_at_s, forecast
