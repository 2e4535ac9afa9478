"""Series of scheduled jobs: the pool over time, waits and completion times, and some jobs to draw."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dcsim.formulas.estimation import percentile
from dcsim.metrics.columns import Array, Mask, floats, integers
from dcsim.metrics.figures import Figures, finite
from dcsim.metrics.histogram import duration_histogram
from dcsim.metrics.run_bins import RunBins
from dcsim.metrics.series.bins import bin_starts, chosen_rows, mean_levels, plain, words
from dcsim.metrics.window import Window
from dcsim.tables import Table
from dcsim.tables.jobs import JobStatus
from dcsim.units import SECONDS_PER_HOUR

MAX_JOBS = 200  # drawn one by one
_MAX_QUEUES = 20
_POOL = (
    "num_used",
    "num_free",
    "num_away",
    "num_queued_accelerators",
    "num_waiting",
    "num_running",
    "fragmentation_frac",
)


def jobs_series(
    replications: Sequence[Table],
    windows: Sequence[Window],
    pool: Table,
    bins: RunBins,
    probabilities: Sequence[float],
) -> Figures:
    """Distributions over the jobs submitted in the windows of all replications; the rest is of the first."""
    pairs = zip(replications, windows, strict=True)
    submitted = [chosen_rows(jobs, _is_submitted(jobs, window)) for jobs, window in pairs]
    finished = _joined([chosen_rows(jobs, _is_finished(jobs)) for jobs in submitted])
    num_beyond = sum(map(_num_unfinished, submitted))
    wait_s, completion_s = floats(finished, "wait_s"), _completion_s(finished)
    return {
        "wait_s": _distribution(wait_s, num_beyond, probabilities),
        "completion_s": _distribution(completion_s, num_beyond, probabilities),
        "by_size": _by_size(finished),
        "by_queue": _by_queue(finished),
        "sample": _sample(replications[0]),
        "timeline": {**bin_starts(bins), **mean_levels(pool, _POOL, bins)},
    }


def _is_submitted(jobs: Table, window: Window) -> Mask:
    at_s = floats(jobs, "submitted_at_s")
    inside: Mask = (at_s >= window.started_at_s) & (at_s <= window.ended_at_s)
    return inside


def _is_finished(jobs: Table) -> Mask:
    finished: Mask = integers(jobs, "status") == JobStatus.FINISHED
    return finished


def _num_unfinished(jobs: Table) -> int:
    """Jobs that did not finish though they could have: slower than all others."""
    status = integers(jobs, "status")
    return int(((status != JobStatus.FINISHED) & (status != JobStatus.INFEASIBLE)).sum())


def _joined(tables: Sequence[Table]) -> Table:
    return Table({name: np.concatenate([one[name] for one in tables]) for name in tables[0].columns})


def _completion_s(jobs: Table) -> Array:
    """From submission to the end."""
    return floats(jobs, "finished_at_s") - floats(jobs, "submitted_at_s")


def _distribution(values_s: Array, num_beyond: int, probabilities: Sequence[float]) -> Figures:
    return {
        "quantiles": [*percentile(values_s, probabilities, num_beyond)],
        "num_beyond": num_beyond,
        "histogram": duration_histogram(values_s),
    }


def _by_size(finished: Table) -> Figures:
    """Classes of jobs by the accelerators they ask for, up to powers of two."""
    size = floats(finished, "num_accelerators")
    upto = 2.0 ** np.ceil(np.log2(np.maximum(size, 1.0)))
    classes = np.unique(upto).tolist()
    return {"max_accelerators": plain(classes), **_grouped(finished, [upto == one for one in classes])}


def _by_queue(finished: Table) -> Figures:
    """The queues that held the most accelerator time, the largest first; the others together, last."""
    queue, held = finished["queue"].astype(str), floats(finished, "accelerator_s")
    names, queue_of = np.unique(queue, return_inverse=True)
    order = np.argsort(-np.bincount(queue_of, weights=held, minlength=len(names)), kind="stable")
    shown = order[:_MAX_QUEUES]
    groups = [queue_of == number for number in shown]
    others = ~np.isin(queue_of, shown)
    return {
        "queue": words(names[shown]),
        **_grouped(finished, groups),
        "rest": {"num_queues": len(order) - len(shown), "num_finished": int(others.sum())},
    }


def _grouped(finished: Table, groups: Sequence[Mask]) -> Figures:
    wait_s, completion_s = floats(finished, "wait_s"), _completion_s(finished)
    held_h = floats(finished, "accelerator_s") / SECONDS_PER_HOUR
    return {
        "num_finished": [int(rows.sum()) for rows in groups],
        "mean_wait_s": [finite(wait_s[rows].mean()) for rows in groups],
        "mean_completion_s": [finite(completion_s[rows].mean()) for rows in groups],
        "accelerator_h": [finite(held_h[rows].sum()) for rows in groups],
    }


def _sample(jobs: Table) -> Figures:
    """The jobs that held the most accelerator time, in the order of submission."""
    order = np.argsort(-floats(jobs, "accelerator_s"), kind="stable")[:MAX_JOBS]
    shown = chosen_rows(jobs, np.sort(order))
    status = [JobStatus(int(one)).name.lower() for one in shown["status"]]
    times = ("submitted_at_s", "started_at_s", "finished_at_s", "wait_s", "held_s", "num_accelerators")
    counts = ("job", "num_nodes", "num_preemptions", "num_failures")
    return {
        **{name: integers(shown, name).tolist() for name in counts},
        "queue": words(shown["queue"]),
        "status": list(status),
        **{name: plain(floats(shown, name)) for name in times},
        "num_left_out": len(jobs) - len(shown),
    }
