"""Figures of jobs by queue: who waited how long, and who got how much."""

from __future__ import annotations

import numpy as np

from dcsim.metrics.columns import Mask, floats, integers
from dcsim.metrics.figures import Figures, finite
from dcsim.tables import Table
from dcsim.tables.jobs import JobStatus
from dcsim.units import SECONDS_PER_HOUR

MAX_QUEUES = 100  # in the summary: a trace may name every user as a queue


def by_queue(jobs: Table, inside: Mask) -> Figures:
    """``queue_figures`` under ``by_queue`` where there are several queues; nothing else, and none without.

    Of more than a hundred queues those that held the most are named.
    """
    figures = queue_figures(jobs, inside)
    if len(figures) < 2:
        return {}
    held_h = {name: one["accelerator_h"] for name, one in figures.items() if isinstance(one, dict)}
    largest = sorted(figures, key=lambda name: (-float(str(held_h[name] or 0.0)), name))[:MAX_QUEUES]
    return {"by_queue": {name: figures[name] for name in sorted(largest)}}


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
