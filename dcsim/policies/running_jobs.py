"""Running jobs, by number and by when they should end."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator

from dcsim.policies.job import Job


class RunningJobs:
    """The jobs that run, in the order of their expected ends as of their start."""

    def __init__(self, jobs: Iterable[Job] = ()) -> None:
        self._by_end: list[tuple[float, int, Job]] = []
        self._ends_at_s: dict[int, float] = {}
        for job in jobs:
            self.add(job)

    def __len__(self) -> int:
        return len(self._by_end)

    def __iter__(self) -> Iterator[Job]:
        """By expected end: the next to end first."""
        return (job for _, _, job in self._by_end)

    def __contains__(self, job: Job) -> bool:
        return job.number in self._ends_at_s

    def add(self, job: Job) -> None:
        """A job has started."""
        ends_at_s = job.expected_end_s(job.started_at_s)
        self._ends_at_s[job.number] = ends_at_s
        insort(self._by_end, (ends_at_s, job.number, job))

    def remove(self, job: Job) -> None:
        """A job has ended or stopped."""
        del self._by_end[bisect_left(self._by_end, (self._ends_at_s.pop(job.number), job.number))]
