"""Shortest job first."""

from __future__ import annotations

from dcsim.policies.job import Job
from dcsim.policies.job_queue import Key
from dcsim.policies.line_scheduler import LineScheduler


class ShortestJob(LineScheduler):
    """The waiting job with the shortest estimated run time starts first; nothing is preempted."""

    def key(self, job: Job) -> Key:
        """Run time that is left, then submission."""
        return (job.estimated_left_s, job.submitted_at_s)
