"""Elastic: jobs shrink to let others start, and grow when nobody waits."""

from __future__ import annotations

import math
from collections.abc import Hashable
from typing import ClassVar

from pydantic import Field

from dcsim.policies.job import Job
from dcsim.policies.job_scheduler import JobScheduler
from dcsim.policies.request import Part
from dcsim.policies.room import Room
from dcsim.units import PositiveFraction, PositiveSeconds

_FIVE_MINUTES_S = 300.0
_ROUNDING_S = 1e-3  # of instants of growth


class Elastic(JobScheduler):
    """First come, first served, with jobs that halve and double the accelerators that they asked for.

    A job that finds no room starts at half its size, a quarter and so on; if that finds no room either,
    running jobs halve, the largest compared with what they asked for first. When nobody waits, running jobs
    double now and then, the smallest first. After Pollux (Qiao et al., OSDI 2021) and Optimus (Peng et
    al., EuroSys 2018), without their models of progress.
    """

    is_preemptive: ClassVar[bool] = True

    smallest_ratio: PositiveFraction = Field(
        default=0.5, alias="smallest", description="Least accelerators over those asked for."
    )
    largest_ratio: float = Field(
        default=2.0, ge=1, le=1024, alias="largest", description="Most accelerators over those asked for."
    )
    doubling_frac: PositiveFraction = Field(
        default=0.9,
        alias="doubling_efficiency",
        description="Speed on twice the accelerators over twice the speed: 90 % makes 1.8 times the speed.",
    )

    interval_s: PositiveSeconds = Field(
        default=_FIVE_MINUTES_S,
        alias="interval",
        description="Running jobs grow at whole multiples of this.",
    )

    def kind(self, job: Job) -> Hashable:
        """One line for all."""
        return None

    def decide(self, room: Room) -> None:
        """Start jobs, at a smaller size if need be; let running ones shrink for them, or grow."""
        for job in room.queue:
            if not self._try_start(room, job) and not self._shrink_for(room, job):
                return
        if room.now_s >= self._round_s(room.now_s) - _ROUNDING_S:
            self._grow(room)

    def wake_at_s(self, room: Room) -> float | None:
        """When running jobs may grow next, if accelerators are idle and nobody waits."""
        is_idle = room.nodes.num_free >= 1 and not len(room.queue) and len(room.running)
        return self._round_s(room.now_s + 2 * _ROUNDING_S) if is_idle else None

    def _round_s(self, now_s: float) -> float:
        """The present instant, or the next, at which jobs grow."""
        return math.ceil((now_s - _ROUNDING_S) / self.interval_s) * self.interval_s

    def speed(self, job: Job, num_accelerators: float) -> float:
        """Progress relative to the size asked for: ratio^(1 + log2(efficiency of doubling)).

        >>> round(2 ** (1 + math.log2(0.9)), 3)
        1.8
        """
        asked = job.request.num_accelerators
        return float((num_accelerators / asked) ** (1.0 + math.log2(self.doubling_frac))) if asked else 1.0

    def _sizes(self, job: Job) -> list[float]:
        """Sizes a job may start with, from what it asked for downwards."""
        asked = size = job.request.num_accelerators
        sizes = [asked]
        while size % 2 == 0 and size / 2 >= max(self.smallest_ratio * asked, 1):
            size /= 2
            sizes.append(size)
        return sizes

    def _set_size(self, job: Job, num_accelerators: float) -> None:
        job.num_held, job.speed = num_accelerators, self.speed(job, num_accelerators)

    def _try_start(self, room: Room, job: Job) -> bool:
        for size in self._sizes(job):
            self._set_size(job, size)
            if room.try_start(job):
                return True
        return False

    def _shrink_for(self, room: Room, job: Job) -> bool:
        """Halve as few running jobs as it takes for the smallest size of the job; none if it never fits."""
        self._set_size(job, self._sizes(job)[-1])
        least: dict[float, float] = {}  # size by what was asked for: few sizes, many jobs
        able = []
        for other in room.running:
            asked = other.request.num_accelerators
            if asked not in least:
                least[asked] = self._sizes(other)[-1]
            if other.num_held > least[asked]:
                able.append(other)
        able.sort(key=lambda j: (-j.num_held / j.request.num_accelerators, -j.num_held, j.number))
        freed: list[tuple[Job, tuple[Part, ...], tuple[Part, ...]]] = []
        is_enough = False
        for other in able:
            kept, dropped = halves(other.parts)
            room.nodes.give(dropped)
            freed.append((other, kept, dropped))
            is_enough = room.parts_for(job) is not None
            if is_enough:
                break
        for other, kept, dropped in freed:
            room.nodes.take(dropped)  # back for now: resizing gives it away
            if is_enough:
                room.resize(other, other.num_held / 2, kept, self.speed(other, other.num_held / 2))
        return is_enough and self._try_start(room, job)

    def _grow(self, room: Room) -> None:
        """Double running jobs while there is room, the smallest compared with what they asked for first."""
        most = room.nodes.num_free
        able = [
            (job.num_held / job.request.num_accelerators, job.number, job)
            for job in room.running
            if 1 <= job.num_held <= most
            and 2 * job.num_held <= self.largest_ratio * job.request.num_accelerators
        ]
        misfits: set[float] = set()  # sizes that found no room: another job of the same size is not tried
        for _, _, job in sorted(able, key=lambda item: item[:2]):
            size = 2 * job.num_held
            if size in misfits or job.num_held > room.nodes.num_free:
                continue
            parts = room.parts_in_place(job, size)
            if parts is None:
                misfits.add(size)
            else:
                room.resize(job, size, parts, self.speed(job, size))


def halves(parts: tuple[Part, ...]) -> tuple[tuple[Part, ...], tuple[Part, ...]]:
    """The first half of the accelerators, and the rest."""
    left = sum(len(part.accelerators) for part in parts) // 2
    kept, dropped = [], []
    for part in parts:
        number = min(left, len(part.accelerators))
        left -= number
        first, rest = _cut(part, number)
        kept += [first] if first.accelerators else []
        dropped += [rest] if rest.accelerators else []
    return tuple(kept), tuple(dropped)


def _cut(part: Part, number: int) -> tuple[Part, Part]:
    cores, memory = (held * number // len(part.accelerators) for held in part[3:])
    first = Part(part.node, part.accelerators[:number], part.num_shares, cores, memory)
    rest = (part.accelerators[number:], part.num_shares, part.num_millicores - cores)
    return first, Part(part.node, *rest, part.memory_bytes - memory)
