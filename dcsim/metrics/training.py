"""What a training job made of its time: a waterfall from the whole wall time down to useful steps.

The parts add up to the wall time: nothing is counted twice, and nothing is left over.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from dcsim.metrics.columns import Array, Mask, floats
from dcsim.metrics.figures import Figure, Figures, finite, ratio
from dcsim.metrics.window import Window
from dcsim.tables import Table
from dcsim.tables.training import SpanKind, TrainingStatus
from dcsim.units import SECONDS_PER_HOUR, TOKENS_PER_MILLION

STRETCHES = ("shrink", "contention", "input", "slow")  # what makes steps longer; in columns of their own


class Step(Protocol):
    """The undisturbed step."""

    @property
    def total_s(self) -> float:
        """Its time."""

    @property
    def mfu_frac(self) -> float:
        """Model FLOPs over the peak."""

    @property
    def hfu_frac(self) -> float:
        """Hardware FLOPs over the peak."""


class TrainedJob(Protocol):
    """What the figures need to know of a job: the resolved deployment."""

    @property
    def name(self) -> str:
        """As in the scenario."""

    @property
    def tokens_per_step(self) -> int:
        """Tokens of one step."""

    def step(self) -> Step:
        """The undisturbed step."""


def training_figures(job: TrainedJob, tables: Mapping[str, Table], window: Window) -> Figures:
    """Figures of one job in the window, from ``training_spans`` and ``training_jobs``.

    ``productive_frac`` is the share of its time in steps that count (Daly's), ``effective_training_frac``
    what those steps take undisturbed: what Llama 3 calls effective training time. MFU and HFU are those of
    the steps; times productive_frac they are those of the whole time. Trials of a sweep count together.
    """
    spans, step = _Spans(job.name, tables["training_spans"], window), job.step()
    parts = spans.waterfall()
    steps_s = spans.total("duration_s", spans.is_productive) - spans.total(
        "checkpoint_s", spans.is_productive
    )
    num_steps = spans.total("num_steps", spans.is_productive)
    pace = num_steps * step.total_s / steps_s if steps_s else None
    wall_s, elapsed_s, num_tokens = spans.wall_s, spans.elapsed_s, num_steps * job.tokens_per_step
    figures: Figures = {
        "step_time_s": ratio(steps_s, num_steps),
        "undisturbed_step_time_s": finite(step.total_s),
        "mfu_frac": None if pace is None else finite(step.mfu_frac * pace),
        "hfu_frac": None if pace is None else finite(step.hfu_frac * pace),
        "num_steps": finite(num_steps),
        "tokens_per_s": ratio(num_tokens, elapsed_s),
        "time_per_million_tokens_s": ratio(elapsed_s * TOKENS_PER_MILLION, num_tokens),
        "wall_s": finite(wall_s),
        "productive_frac": ratio(steps_s, wall_s),
        "effective_training_frac": ratio(parts["productive"], wall_s),
        "productive_s": finite(parts.pop("productive")),
        "lost_s": {name: finite(value) for name, value in parts.items()},
        "lost_accelerator_h": spans.lost_by_cause(),
    }
    return figures | _ends(job.name, tables["training_jobs"], wall_s)


def _ends(name: str, jobs: Table, wall_s: float) -> Figures:
    """How often the job stopped, and when it ended: the last of its trials, where it is a sweep."""
    mine = belongs(jobs, name)
    num_failures = int(jobs["num_failures"][mine].sum())
    is_finished = bool(mine.any()) and bool((jobs["status"][mine] == str(TrainingStatus.FINISHED)).all())
    submitted_s, finished_s = floats(jobs, "submitted_at_s")[mine], floats(jobs, "finished_at_s")[mine]
    is_stalled = bool((jobs["status"][mine] == str(TrainingStatus.STALLED)).any())
    return {
        "completion_s": finite(float(finished_s.max() - submitted_s.min())) if is_finished else None,
        "is_finished": is_finished,
        "is_stalled": is_stalled,
        "num_failures": num_failures,
        "num_planned_stops": int(jobs["num_planned_stops"][mine].sum()),
        "time_between_failures_s": ratio(wall_s, num_failures),
    }


def belongs(table: Table, name: str) -> Mask:
    """The rows of a job, or of the trials of a sweep, which are named after it."""
    names = table["job"].astype(str)
    mine: Mask = (names == name) | np.char.startswith(names, f"{name}.")
    return mine


class _Spans:
    """The spans of one job, each with the share of it that lies in the window."""

    def __init__(self, name: str, spans: Table, window: Window) -> None:
        self._spans, self._window = spans, window
        self._share = np.where(
            belongs(spans, name),
            window.share_within(floats(spans, "started_at_s"), floats(spans, "duration_s")),
            0.0,
        )
        self._kind = spans["kind"].astype(str)

    @property
    def wall_s(self) -> float:
        """Its time in the window, from its submission to its end."""
        return self.total("duration_s")

    @property
    def elapsed_s(self) -> float:
        """From its start to its end in the window, those of trials of a sweep together."""
        started_at_s, duration_s = floats(self._spans, "started_at_s"), floats(self._spans, "duration_s")
        low = np.maximum(started_at_s, self._window.started_at_s)[self._share > 0]
        high = np.minimum(started_at_s + duration_s, self._window.ended_at_s)[self._share > 0]
        return float(high.max() - low.min()) if len(low) else 0.0

    @property
    def is_productive(self) -> Mask:
        """The rows whose steps count."""
        return self._is(SpanKind.PRODUCTIVE)

    def total(self, column: str, rows: Mask | None = None) -> float:
        """Sum of a column over rows, each by its share in the window."""
        values: Array = floats(self._spans, column) * self._share
        return float(values.sum() if rows is None else values[rows].sum())

    def waterfall(self) -> dict[str, float]:
        """Seconds by what they went to; ``productive`` is what the steps that count take undisturbed."""
        productive, is_lost = self.is_productive, self._is(SpanKind.LOST)
        parts = {
            str(kind): self.total("duration_s", self._is(kind))
            for kind in SpanKind
            if kind not in (SpanKind.PRODUCTIVE, SpanKind.LOST)
        }
        stretched_s = {name: self.total(f"{name}_s", productive) for name in STRETCHES}
        parts |= stretched_s
        parts["checkpoint"] = self.total("checkpoint_s")
        lost_s = self.total("duration_s", is_lost)
        parts["lost_work"] = lost_s - self.total("checkpoint_s", is_lost)
        steps_s = self.total("duration_s", productive)
        steps_s -= self.total("checkpoint_s", productive)
        return {"productive": steps_s - sum(stretched_s.values()), **parts}

    def lost_by_cause(self) -> dict[str, Figure]:
        """Accelerator-hours of lost work and recovery by the cause that they are due to."""
        cause = self._spans["cause"].astype(str)
        held = floats(self._spans, "num_accelerators") * floats(self._spans, "duration_s") * self._share
        found: dict[str, Figure] = {}
        for name in sorted(set(cause[self._share > 0]) - {""}):
            found[str(name)] = float(held[cause == name].sum()) / SECONDS_PER_HOUR
        return found

    def _is(self, kind: SpanKind) -> Mask:
        rows: Mask = self._kind == str(kind)
        return rows
