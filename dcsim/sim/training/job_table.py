"""Rows of the table ``training_jobs``: how each job ended."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dcsim.sim.training.job import TrainingProcess
from dcsim.tables.table import Table
from dcsim.tables.training import TRAINING_JOBS


def training_job_table(jobs: Sequence[TrainingProcess]) -> Table:
    """One row for each job, in the order given."""
    rows = [_row(job) for job in jobs]
    columns = zip(*rows, strict=True) if rows else ([] for _ in TRAINING_JOBS)
    named = zip(TRAINING_JOBS.items(), columns, strict=True)
    return Table({name: np.array(list(values), dtype=column.dtype) for (name, column), values in named})


def _row(job: TrainingProcess) -> tuple[object, ...]:
    task = job.task
    return (
        task.name,
        str(job.status),
        task.submitted_at_s,
        job.started_at_s,
        job.finished_at_s,
        job.num_steps_done,
        task.num_steps,
        job.num_failures,
        job.num_planned_stops,
        job.stalled_by,
    )
