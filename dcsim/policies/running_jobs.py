"""Running jobs, by number and by when they should end."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence

from dcsim.policies.job import Job
from dcsim.policies.request import SHARES_PER_ACCELERATOR
from dcsim.policies.service import Service


class RunningJobs:
    """The jobs that run, in the order of their expected ends as of their start."""

    def __init__(self, jobs: Iterable[Job] = ()) -> None:
        self._by_end: list[tuple[float, int, Job]] = []
        self._ends_at_s: list[float] = []  # in the same order
        self._nums_held: list[float] = []
        self._end_of: dict[int, float] = {}
        self._held: dict[str, list[int]] = {}
        self.service = Service()
        for job in jobs:
            self.add(job)

    def __len__(self) -> int:
        return len(self._by_end)

    def __iter__(self) -> Iterator[Job]:
        """By expected end: the next to end first."""
        return (job for _, _, job in self._by_end)

    def __contains__(self, job: Job) -> bool:
        return job.number in self._end_of

    def add(self, job: Job) -> None:
        """A job has started."""
        ends_at_s = job.expected_end_s(job.started_at_s)
        self._end_of[job.number] = ends_at_s
        place = bisect_left(self._by_end, (ends_at_s, job.number))
        self._by_end.insert(place, (ends_at_s, job.number, job))
        self._ends_at_s.insert(place, ends_at_s)
        self._nums_held.insert(place, job.num_held)
        self.service.add(job)
        self._count(job, 1)

    def remove(self, job: Job) -> None:
        """A job has ended or stopped."""
        place = bisect_left(self._by_end, (self._end_of.pop(job.number), job.number))
        del self._by_end[place], self._ends_at_s[place], self._nums_held[place]
        self.service.remove(job)
        self._count(job, -1)

    def releases(self) -> tuple[Sequence[float], Sequence[float]]:
        """Expected ends, rising, and the accelerators that each brings back. Not to be changed."""
        return self._ends_at_s, self._nums_held

    def held(self, queue: str) -> tuple[int, int, int]:
        """Thousandths of accelerators, of cores, and bytes of memory that the jobs of a queue hold."""
        shares, millicores, memory_bytes = self._held.get(queue, (0, 0, 0))
        return shares, millicores, memory_bytes

    def num_held_by_queue(self) -> dict[str, float]:
        """Accelerators that the jobs of each queue hold."""
        return {queue: held[0] / SHARES_PER_ACCELERATOR for queue, held in self._held.items()}

    def _count(self, job: Job, sign: int) -> None:
        held = self._held.setdefault(job.queue, [0, 0, 0])
        for part in job.parts:
            held[0] += sign * part.num_shares * len(part.accelerators)
            held[1] += sign * part.num_millicores
            held[2] += sign * part.memory_bytes
