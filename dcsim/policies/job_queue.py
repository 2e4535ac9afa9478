"""Waiting jobs in order, without looking at all of them."""

from __future__ import annotations

import heapq
from bisect import bisect_left, insort
from collections.abc import Callable, Container, Hashable, Iterable, Iterator
from itertools import chain
from typing import TypeAlias

from dcsim.policies.job import Job

Key: TypeAlias = tuple[float, ...]
_Entry: TypeAlias = tuple[Key, int, Job]


class JobQueue:
    """Waiting jobs by a key. Jobs of one kind stand in a line of their own: kinds are passed over whole.

    Finding, adding and removing a job take the logarithm of the line's length (and a shift of memory).
    """

    def __init__(
        self,
        key: Callable[[Job], Key],
        kind: Callable[[Job], Hashable] = lambda job: job.request,
        jobs: Iterable[Job] = (),
    ) -> None:
        self._key = key
        self._kind = kind
        self._lines: dict[Hashable, list[_Entry]] = {}
        self._num_jobs = 0
        for job in jobs:
            self.add(job)

    def __len__(self) -> int:
        return self._num_jobs

    def __iter__(self) -> Iterator[Job]:
        return self.in_order(())

    def kind_of(self, job: Job) -> Hashable:
        """Jobs of the same kind are passed over together."""
        return self._kind(job)

    def kinds(self) -> Iterator[Job]:
        """The first job of every kind."""
        return (line[0][2] for line in self._lines.values())

    def first(self, kind: Hashable) -> Job | None:
        """The first job of a kind, if any waits."""
        line = self._lines.get(kind)
        return line[0][2] if line else None

    def first_jobs(self, number: int) -> list[Job]:
        """So many jobs in the order of the key, or all if they are fewer."""
        heads = chain.from_iterable(line[:number] for line in self._lines.values())
        return [job for _, _, job in sorted(heads)[:number]]

    def add(self, job: Job) -> None:
        """Let a job wait."""
        insort(self._lines.setdefault(self._kind(job), []), self._entry(job))
        self._num_jobs += 1

    def remove(self, job: Job) -> None:
        """Take a job out."""
        kind = self._kind(job)
        line = self._lines[kind]
        del line[bisect_left(line, self._entry(job))]
        self._num_jobs -= 1
        if not line:
            del self._lines[kind]

    def in_order(self, skipped: Container[Hashable]) -> Iterator[Job]:
        """Jobs in the order of the key, without the kinds skipped, which may grow on the way.

        The job that was handed out last may be removed before the next is asked for, no other.
        """
        kinds = [kind for kind in self._lines if kind not in skipped]
        heap = [(*self._lines[kind][0][:2], i) for i, kind in enumerate(kinds)]
        places = [0] * len(kinds)
        heapq.heapify(heap)
        while heap:
            _, number, i = heap[0]
            line = self._lines[kinds[i]]
            yield line[places[i]][2]
            line = self._lines.get(kinds[i], [])
            if places[i] < len(line) and line[places[i]][1] == number:
                places[i] += 1
            if kinds[i] in skipped or places[i] >= len(line):
                heapq.heappop(heap)
            else:
                key, number, _ = line[places[i]]
                heapq.heapreplace(heap, (key, number, i))

    def _entry(self, job: Job) -> _Entry:
        return self._key(job), job.number, job
