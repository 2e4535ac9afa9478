"""What job schedulers write: rows of jobs, and the pool over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from dcsim.sim.jobs.job_run import JobRun
from dcsim.tables.jobs import JOBS, POOL
from dcsim.tables.table import Table

MAX_BINS = 20_000  # of the table pool: longer runs have longer intervals
Floats = npt.NDArray[np.float64]


class PoolState(NamedTuple):
    """The pool between two events."""

    num_used: float
    num_free: float
    num_away: float
    num_queued_accelerators: float
    num_waiting: float
    num_running: float
    fragmentation_frac: float
    num_training: float  # of those used


@dataclass(slots=True)
class PoolLog:
    """The states of the pool, each from its instant on."""

    bin_s: float
    _at_s: list[float] = field(default_factory=list)
    _states: list[PoolState] = field(default_factory=list)

    def add(self, at_s: float, state: PoolState) -> None:
        """The pool is in that state from now on."""
        if self._at_s and self._at_s[-1] == at_s:
            self._states[-1] = state
        else:
            self._at_s.append(at_s)
            self._states.append(state)

    def is_due(self, at_s: float, last_at_s: float) -> bool:
        """Whether a number that is costly to find should be found anew."""
        return at_s >= last_at_s + self.bin_s

    def table(self, ended_at_s: float) -> Table:
        """Means over equal intervals."""
        bin_s = max(self.bin_s, ended_at_s / MAX_BINS)
        num_bins = max(1, int(np.ceil(ended_at_s / bin_s))) if self._at_s else 0
        edges = np.minimum(np.arange(num_bins + 1) * bin_s, ended_at_s)
        columns: dict[str, npt.NDArray[np.generic]] = {
            "started_at_s": edges[:-1],
            "duration_s": np.diff(edges),
        }
        instants = np.array(self._at_s)
        for name, values in zip(PoolState._fields, np.array(self._states).T, strict=True):
            is_sampled = name == "fragmentation_frac"
            columns[name] = (
                values[np.searchsorted(instants, edges[1:], side="right") - 1]
                if is_sampled
                else _bin_means(instants, values, edges)
            )
        return Table({name: columns[name].astype(column.dtype) for name, column in POOL.items()})


def _bin_means(instants: Floats, values: Floats, edges: Floats) -> Floats:
    """Means of a staircase over intervals; 0 before its first step."""
    steps = np.append(np.diff(instants) * values[:-1], 0.0)
    area_before = np.concatenate([[0.0], np.cumsum(steps)[:-1]])
    step = np.searchsorted(instants, edges, side="right") - 1
    inside = np.maximum(step, 0)
    area = np.where(step < 0, 0.0, area_before[inside] + (edges - instants[inside]) * values[inside])
    lengths = np.diff(edges)
    return np.asarray(np.divide(np.diff(area), lengths, out=np.zeros(len(lengths)), where=lengths > 0))


def job_table(runs: Sequence[JobRun], ended_at_s: float) -> Table:
    """One row for each job, as things stand at the end."""
    rows = [_row(run, ended_at_s) for run in runs]
    columns = zip(*rows, strict=True) if rows else ([] for _ in JOBS)
    named = zip(JOBS.items(), columns, strict=True)
    return Table({name: np.array(list(values), dtype=column.dtype) for (name, column), values in named})


def _row(run: JobRun, ended_at_s: float) -> tuple[object, ...]:
    job = run.job
    waits_s = 0.0
    if run.status.name == "WAITING":  # or was not submitted yet
        waits_s = max(0.0, ended_at_s - max(run.waits_since_s, job.submitted_at_s))
    holds_s = ended_at_s - run.held_since_s if run.status.name == "RUNNING" else 0.0
    return (
        job.number,
        job.queue,
        job.submitted_at_s,
        run.first_started_at_s,
        run.finished_at_s,
        run.duration_s,
        job.estimated_s,
        job.request.num_accelerators,
        run.num_nodes,
        run.wait_s + waits_s,
        run.held_s + holds_s,
        run.accelerator_s + holds_s * job.num_held,
        run.lost_s,
        run.num_preemptions,
        run.num_failures,
        run.num_resizes,
        int(run.status),
        int(run.reason),
        "" if run.work is None else str(run.work.holder.name),
    )
