"""The truth about one job: how much work is left, what is saved, and what has happened to it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from dcsim.policies.job import Job
from dcsim.sim.jobs.modelled_work import ModelledWork
from dcsim.tables.jobs import JobReason, JobStatus


@dataclass(slots=True, eq=False)
class JobRun:
    """One job on the clock. Work is counted in run time on the accelerators asked for.

    ``work`` is what the job does where that is modelled: its end is told, and not timed.
    """

    job: Job
    duration_s: float
    left_s: float
    status: JobStatus = JobStatus.WAITING
    reason: JobReason = JobReason.NONE
    first_started_at_s: float = math.nan
    finished_at_s: float = math.nan
    waits_since_s: float = 0.0
    held_since_s: float = 0.0
    wait_s: float = 0.0
    held_s: float = 0.0
    accelerator_s: float = 0.0
    lost_s: float = 0.0
    num_nodes: int = 0
    num_preemptions: int = 0
    num_failures: int = 0
    num_resizes: int = 0
    num_runs: int = 0  # tells the ends of earlier runs from that of the present one
    work: ModelledWork | None = None

    @property
    def run_s(self) -> float:
        """How long the run that begins now lasts if nothing happens."""
        return self.job.restart_s + self.left_s / self.job.speed

    def begin(self, now_s: float) -> None:
        """It holds accelerators from now on."""
        self.num_runs += 1
        self.held_since_s = now_s
        self.num_nodes = len({part.node for part in self.job.parts})
        if self.status is JobStatus.WAITING:
            self.wait_s += now_s - self.waits_since_s
        if math.isnan(self.first_started_at_s):
            self.first_started_at_s = now_s
        self.status = JobStatus.RUNNING

    def end(self, now_s: float, num_held: float) -> None:
        """It holds accelerators no more, or others."""
        held_s = now_s - self.held_since_s
        self.held_s += held_s
        self.accelerator_s += held_s * num_held
        self.num_runs += 1

    def save(self, done_s: float, restart_s: float, interval_s: float | None) -> None:
        """Keep the work of a run up to its last checkpoint: nothing if the interval is infinite.

        All of it is kept without an interval.
        """
        done_s = min(done_s, self.left_s)
        if interval_s is None:
            kept_s = done_s
        else:
            kept_s = math.floor(done_s / interval_s) * interval_s if done_s >= interval_s else 0.0
        self.left_s -= kept_s
        self.lost_s += done_s - kept_s + restart_s
