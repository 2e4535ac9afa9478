"""The table of holdings: which nodes somebody had when, and how much of them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from dcsim.tables.table import TEXT, Column

MAX_HOLDINGS = 500_000  # rows of one replication


class HolderKind(StrEnum):
    """Who has a node, or part of it."""

    TRAINING = "training"
    JOB = "job"  # of the section jobs
    SERVING = "serving"
    SPARE = "spare"  # free, kept for training jobs and to stand in for others
    DOWN = "down"  # out of service
    REST = "rest"  # all holdings that are not written down one by one


NODE_HOLDINGS: Mapping[str, Column] = {
    "node": Column(
        "i4", "", "number of the node; that in jobs.node_list for jobs that have one; -1 for the rest"
    ),
    "kind": Column(
        TEXT,
        "",
        "training, job (scheduled), serving, spare (free, kept for training and replacements), down, rest",
    ),
    "holder": Column(
        TEXT,
        "",
        "training job (as in training_spans), number of the scheduled job, served workload, or cause of the "
        "outage; empty for spares and the rest",
    ),
    "started_at_s": Column("f8", "s", "from when it had the node"),
    "duration_s": Column("f8", "s", "for how long, or until the simulation ended"),
    "num_accelerators": Column(
        "f8", "", "accelerators of the node that it had: a training job's are spread evenly over its nodes"
    ),
    "num_holdings": Column(
        "i8",
        "",
        f"1, but for the rest: a last row that stands for all that began after the first {MAX_HOLDINGS:,}, "
        "with their mean accelerators from the first of them on",
    ),
}
