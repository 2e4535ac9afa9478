"""Tables of scheduled jobs: one row for each job, and the pool of nodes over time."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum

from dcsim.tables.table import TEXT, Column


class JobStatus(IntEnum):
    """How a job ended."""

    FINISHED = 0
    RUNNING = 1  # when the simulation ended
    WAITING = 2  # when the simulation ended
    INFEASIBLE = 3  # it could never start
    ABANDONED = 4  # it was restarted too often


class JobReason(IntEnum):
    """Why a job could never start."""

    NONE = 0
    ACCELERATORS = 1  # more accelerators than the pool has, all models counted
    MODEL = 2  # more accelerators of the models it accepts than there are
    CORES = 3  # more cores for each accelerator than a node has
    MEMORY = 4  # more memory for each accelerator than a node has
    NODES = 5  # its parts need more or larger nodes than there are
    SCHEDULER = 6  # the scheduler would never start it, as with a quota that it exceeds

    @property
    def text(self) -> str:
        """The reason in words."""
        return _REASONS[self]


_REASONS = {
    JobReason.NONE: "",
    JobReason.ACCELERATORS: "asks for more accelerators than there are",
    JobReason.MODEL: "asks for more accelerators of the models it accepts than there are",
    JobReason.CORES: "asks for more cores with its accelerators than nodes have",
    JobReason.MEMORY: "asks for more memory with its accelerators than nodes have",
    JobReason.NODES: "asks for more or larger nodes than there are",
    JobReason.SCHEDULER: "is larger than the scheduler lets its queue use",
}

JOBS: Mapping[str, Column] = {
    "job": Column("i8", "", "number of the job, from 0, in the order of submission"),
    "queue": Column(TEXT, "", "queue (tenant, virtual cluster) of the job"),
    "submitted_at_s": Column("f8", "s", "submission"),
    "started_at_s": Column("f8", "s", "first start; NaN if it never started"),
    "finished_at_s": Column("f8", "s", "end of its work; NaN if it did not finish"),
    "duration_s": Column("f8", "s", "run time of its work on the accelerators asked for"),
    "estimated_s": Column("f8", "s", "run time that the scheduler was told"),
    "num_accelerators": Column("f8", "", "accelerators asked for; a fraction of one is possible"),
    "num_nodes": Column("i4", "", "nodes of its last run; 0 if it never started"),
    "wait_s": Column("f8", "s", "time in the queue, after preemptions and failures too"),
    "held_s": Column("f8", "s", "time it held accelerators"),
    "accelerator_s": Column("f8", "s", "accelerators held, summed over time"),
    "lost_s": Column("f8", "s", "work done again, and restarts, in run time"),
    "num_preemptions": Column("i4", "", "times the scheduler, maintenance or serving stopped it"),
    "num_failures": Column("i4", "", "times a node under it failed or was taken away at once"),
    "num_resizes": Column("i4", "", "times it went on with another number of accelerators"),
    "status": Column("i1", "", "0 finished, 1 running, 2 waiting, 3 infeasible, 4 abandoned"),
    "reason": Column(
        "i1", "", "why it is infeasible: 1 accelerators, 2 model, 3 cores, 4 memory, 5 nodes, 6 scheduler"
    ),
    "training": Column(TEXT, "", "job of the section training that it is; empty for others"),
}

POOL: Mapping[str, Column] = {
    "started_at_s": Column("f8", "s", "beginning of the interval"),
    "duration_s": Column("f8", "s", "length of the interval"),
    "num_used": Column("f8", "", "accelerators held by jobs, mean over the interval"),
    "num_free": Column("f8", "", "accelerators that jobs could have, mean over the interval"),
    "num_away": Column("f8", "", "accelerators of nodes that are down, drained or lent, mean"),
    "num_queued_accelerators": Column("f8", "", "accelerators that waiting jobs ask for, mean"),
    "num_waiting": Column("f8", "", "jobs that wait, mean over the interval"),
    "num_running": Column("f8", "", "jobs that run, mean over the interval"),
    "fragmentation_frac": Column(
        "f8", "", "free accelerators that the next typical job could not use / free ones, last seen; FGD"
    ),
    "num_training": Column("f8", "", "of num_used, those of jobs of the section training, mean"),
}
