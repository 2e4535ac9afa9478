"""What every job scheduler is: which waiting jobs start now, and which running ones make way."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Hashable, Iterable
from typing import ClassVar

from dcsim.plugins import Policy
from dcsim.policies.job import Job
from dcsim.policies.job_queue import Key
from dcsim.policies.release_forecast import ReleaseForecast
from dcsim.policies.room import Room

_ROUNDING_FRAC = 1e-9  # of sums of fractions of accelerators


class JobScheduler(Policy):
    """Base of all job schedulers. ``decide`` is asked whenever a job comes or ends, or nodes come or go."""

    is_preemptive: ClassVar[bool] = False
    needs_history: ClassVar[bool] = False  # jobs carry a prediction from their users' earlier jobs

    def key(self, job: Job) -> Key:
        """Jobs wait in this order, smallest first; it must not change while a job waits."""
        return (job.submitted_at_s,)

    def kind(self, job: Job) -> Hashable:
        """Jobs of one kind wait in one line, which ``decide`` can pass over as a whole."""
        return job.request

    @abstractmethod
    def decide(self, room: Room) -> None:
        """Start, stop and resize jobs."""

    def wake_at_s(self, room: Room) -> float | None:
        """When to be asked again though nothing has happened; None if never."""
        return None

    def refusal(self, job: Job) -> str | None:
        """Why the job can never start under this scheduler; None if it can."""
        return None


def start_in_order(room: Room) -> Job | None:
    """Start waiting jobs until one finds no room: that one, or None if all have started."""
    for job in room.queue:
        if not room.try_start(job):
            return job
    return None


def make_way(room: Room, job: Job, victims: Iterable[Job]) -> bool:
    """Start the job by stopping as few of the running ones as it takes, the first in the list first.

    Nothing is stopped unless the job then fits.
    """
    able = list(victims)
    num_free = room.nodes.num_free + sum(victim.num_held for victim in able)
    if not able or num_free < job.num_held * (1 - _ROUNDING_FRAC):
        return False
    forecast = ReleaseForecast(room.nodes, job.held_request, is_split=room.placement.is_split)
    stopped: list[Job] = []
    for victim in able:
        forecast.give(victim.parts)
        stopped.append(victim)
        if forecast.fits:
            break
    if not forecast.fits:
        return False
    for victim in _needed(forecast, stopped):
        room.stop(victim)
    is_started = room.try_start(job)
    assert is_started
    return True


def _needed(forecast: ReleaseForecast, stopped: list[Job]) -> list[Job]:
    """The victims without whose accelerators the job would not fit; the last in the list are spared first."""
    needed = stopped[-1:]
    for victim in reversed(stopped[:-1]):
        forecast.take(victim.parts)
        if not forecast.fits:
            forecast.give(victim.parts)
            needed.append(victim)
    return needed
