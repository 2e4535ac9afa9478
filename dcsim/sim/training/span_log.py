"""The log of spans: rows of the table ``training_spans``."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from dcsim.sim.training.run import Run
from dcsim.tables.table import Table
from dcsim.tables.training import TRAINING_SPANS, SpanKind


@dataclass(slots=True)
class SpanLog:
    """Spans of all jobs, each job's in order of time."""

    _columns: dict[str, list[object]] = field(default_factory=lambda: {name: [] for name in TRAINING_SPANS})

    def __len__(self) -> int:
        return len(self._columns["job"])

    def add(
        self,
        job: str,
        kind: SpanKind,
        cause: str,
        started_at_s: float,
        ended_at_s: float,
        num_accelerators: int,
    ) -> None:
        """A span without steps; one that takes no time is left out."""
        if ended_at_s > started_at_s:
            duration_s = ended_at_s - started_at_s
            self._append(
                job,
                str(kind),
                cause,
                started_at_s,
                duration_s,
                0.0,
                0,
                0.0,
                0.0,
                0.0,
                0.0,
                0.0,
                num_accelerators,
                0.0,
            )

    def add_run(self, job: str, kind: SpanKind, cause: str, run: Run) -> None:
        """A run of steps and stalls."""
        if run.duration_s <= 0.0:
            return
        if run.kind is not None:
            self.add(job, run.kind, "", run.started_at_s, run.ended_at_s, run.num_accelerators)
            return
        after, parts = run.advance(), run.parts
        num_steps = after.place.position - run.place.position
        computed_s = num_steps * parts.total_s
        if run.stood_still:  # but for the stall of a checkpoint under way
            computed_s = max(0.0, run.duration_s - run.place.stall_left_s)
        self._append(
            job,
            str(kind),
            cause,
            run.started_at_s,
            run.duration_s,
            num_steps,
            after.num_saves,
            max(0.0, run.duration_s - computed_s),
            num_steps * parts.shrink_s,
            computed_s if math.isinf(parts.contention_s) else num_steps * parts.contention_s,
            computed_s if math.isinf(parts.input_s) else num_steps * parts.input_s,
            num_steps * parts.slow_s,
            run.num_accelerators,
            parts.accelerator_rise_w * min(1.0, computed_s / run.duration_s),
        )

    def lost_s(self, job: str) -> float:
        """Time in which a job held accelerators and did what a stop had undone, or started again."""
        names = ("job", "cause", "num_accelerators", "duration_s")
        rows = zip(*(self._columns[name] for name in names), strict=True)
        return math.fsum(
            duration_s
            for name, cause, held, duration_s in rows
            if name == job and cause and held and isinstance(duration_s, float)
        )

    def table(self) -> Table:
        """The rows as a table."""
        return Table(
            {
                name: np.array(self._columns[name], dtype=column.dtype)
                for name, column in TRAINING_SPANS.items()
            }
        )

    def _append(self, *values: object) -> None:
        for column, value in zip(self._columns.values(), values, strict=True):
            column.append(value)
