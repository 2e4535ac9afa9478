"""Service that running jobs have attained, all at once in arrays."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dcsim.policies.job import Job

Numbers = npt.NDArray[np.float64]


class Service:
    """Attained service of the running jobs, each in a place of its own while it runs."""

    def __init__(self) -> None:
        self._jobs: list[Job | None] = []
        self._places: dict[int, int] = {}
        self._free: list[int] = []
        self._before_s, self._nums_held, self._started_at_s = np.empty(0), np.empty(0), np.empty(0)

    def add(self, job: Job) -> None:
        """A job has started."""
        if not self._free:
            self._grow()
        place = self._free.pop()
        self._places[job.number], self._jobs[place] = place, job
        self._before_s[place], self._started_at_s[place] = job.attained_s, job.started_at_s
        self._nums_held[place] = job.num_held

    def remove(self, job: Job) -> None:
        """A job has ended or stopped."""
        place = self._places.pop(job.number)
        self._jobs[place], self._nums_held[place], self._before_s[place] = None, 0.0, 0.0
        self._free.append(place)

    def at_s(self, now_s: float) -> tuple[Numbers, Numbers]:
        """Attained accelerator-seconds and accelerators held, by place; both 0 where no job is."""
        return self._before_s + self._nums_held * (now_s - self._started_at_s), self._nums_held

    def jobs_from(self, least_s: float, now_s: float) -> tuple[list[Job], Numbers]:
        """The jobs that have attained so much by now, more than nothing, and what each has."""
        attained_s, _ = self.at_s(now_s)
        places = np.flatnonzero(attained_s >= least_s)
        jobs = [job for job in map(self._jobs.__getitem__, places.tolist()) if job is not None]
        return jobs, attained_s[places]

    def _grow(self) -> None:
        """Twice as many places."""
        old, added = len(self._jobs), max(len(self._jobs), 64)
        self._jobs += [None] * added
        self._free += range(old + added - 1, old - 1, -1)
        self._before_s, self._nums_held, self._started_at_s = (
            np.concatenate((column, np.zeros(added)))
            for column in (self._before_s, self._nums_held, self._started_at_s)
        )
