"""Figures of jobs by queue: who waited how long, and who got how much."""

from __future__ import annotations

import numpy as np

from dcsim.metrics.columns import Mask, floats, integers
from dcsim.metrics.figures import Figures, finite
from dcsim.tables import Table
from dcsim.tables.jobs import JobStatus
from dcsim.units import SECONDS_PER_HOUR


def queue_figures(jobs: Table, inside: Mask) -> Figures:
    """By name of the queue, of jobs submitted in the window: finished jobs' mean wait, and what all held."""
    names = jobs["queue"].astype(str)
    is_finished = (integers(jobs, "status") == JobStatus.FINISHED) & inside
    wait_s, accelerator_s = floats(jobs, "wait_s"), floats(jobs, "accelerator_s")
    preemptions = integers(jobs, "num_preemptions")
    found: Figures = {}
    for name in np.unique(names[inside]).tolist():
        mine = (names == name) & inside
        ended = mine & is_finished
        found[name or "default"] = {
            "num_submitted": int(mine.sum()),
            "num_finished": int(ended.sum()),
            "wait_s": finite(float(wait_s[ended].mean())) if ended.any() else None,
            "accelerator_h": finite(float(accelerator_s[mine].sum()) / SECONDS_PER_HOUR),
            "num_preemptions": int(preemptions[mine].sum()),
        }
    return found
