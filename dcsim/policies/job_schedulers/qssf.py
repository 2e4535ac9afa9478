"""QSSF: quasi-shortest service first, by what the user's earlier jobs took."""

from __future__ import annotations

import math
from typing import ClassVar

from dcsim.policies.job import Job
from dcsim.policies.job_queue import Key
from dcsim.policies.line_scheduler import LineScheduler


class Qssf(LineScheduler):
    """The job with the least predicted service (run time x accelerators) starts first; nothing is preempted.

    Hu et al., "Characterization and Prediction of Deep Learning Workloads in Large-Scale GPU Datacenters",
    SC'21, section 4.2 (arXiv:2109.01313). The prediction here is a decaying mean over the user's finished
    jobs of as many accelerators, without their model of job names.
    """

    needs_history: ClassVar[bool] = True

    def key(self, job: Job) -> Key:
        """Predicted accelerator-seconds, then submission."""
        predicted_s = job.estimated_s if math.isnan(job.predicted_s) else job.predicted_s
        return (predicted_s * max(job.request.num_accelerators, 1.0), job.submitted_at_s)
