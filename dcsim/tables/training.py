"""The tables of training: how each job spent its time, span by span, and how it ended."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from dcsim.tables.table import TEXT, Column


class SpanKind(StrEnum):
    """What a job did in a span of time."""

    QUEUE = "queue"  # before its first start: waiting for nodes
    PRODUCTIVE = "productive"  # steps whose work counts in the end, and checkpoints between them
    LOST = "lost"  # steps and checkpoints that a failure undid
    DETECT = "detect"
    DIAGNOSE = "diagnose"
    WAIT = "wait"  # for a spare, or for a node to be repaired or come back
    SWAP = "swap"
    STAGING = "staging"  # its data set is copied to the store that it is read from
    INITIALIZE = "initialize"
    RESTORE = "restore"
    WARMUP = "warmup"
    RESHUFFLE = "reshuffle"  # its data set is written anew between epochs


class TrainingStatus(StrEnum):
    """How a job ended."""

    FINISHED = "finished"
    UNFINISHED = "unfinished"  # the simulation ended first
    STALLED = "stalled"  # it ended first, and the job was no further than at its start


TRAINING_SPANS: Mapping[str, Column] = {
    "job": Column(
        TEXT, "", "job, as named in the scenario; JOB.1, JOB.2, ... for trials of a sweep at the same time"
    ),
    "kind": Column(
        TEXT,
        "",
        "queue, productive, lost (a failure undid it), detect, diagnose, wait (for a node), swap, staging "
        "(of the data set), initialize, restore, warmup, reshuffle",
    ),
    "cause": Column(TEXT, "", "cause of failures that the span is due to; empty for none"),
    "started_at_s": Column("f8", "s", "start"),
    "duration_s": Column("f8", "s", "length; spans of the same name follow one another without gaps"),
    "num_steps": Column("f8", "steps", "optimiser steps computed, in parts where something cut one"),
    "num_checkpoints": Column("i4", "", "checkpoints whose stall ended in the span"),
    "checkpoint_s": Column("f8", "s", "part of the duration in which a checkpoint held the steps up"),
    "shrink_s": Column("f8", "s", "part due to running with fewer data-parallel replicas"),
    "contention_s": Column("f8", "s", "part due to full or failed links of the fabric"),
    "input_s": Column("f8", "s", "part due to samples that came late"),
    "slow_s": Column("f8", "s", "part due to slow nodes"),
    "num_accelerators": Column("i4", "", "accelerators held"),
    "accelerator_rise_w": Column("f8", "W", "mean power of each above idle"),
}

TRAINING_JOBS: Mapping[str, Column] = {
    "job": Column(TEXT, "", "job, as in training_spans; a sweep has a row for each trial that was begun"),
    "status": Column(
        TEXT,
        "",
        "finished, unfinished (the simulation ended), stalled (no work was ever saved, or no step done)",
    ),
    "submitted_at_s": Column("f8", "s", "when it asked for nodes"),
    "started_at_s": Column("f8", "s", "when it got them first; NaN if never"),
    "finished_at_s": Column("f8", "s", "when its last step was saved; NaN if unfinished"),
    "num_steps": Column("f8", "steps", "steps that count, done by the end"),
    "num_steps_asked": Column("f8", "steps", "steps that it was to do; infinite for as long as possible"),
    "num_failures": Column("i4", "", "failures that stopped it"),
    "num_planned_stops": Column("i4", "", "stops with its work saved: drains, maintenance, growing again"),
    "reason": Column(TEXT, "", "why it stalled or was given up; empty if it was not"),
}
