"""What scheduled jobs went through in the measured window: waits, completion times, use of the pool."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from dcsim.formulas.estimation import percentile
from dcsim.metrics.columns import Array, Mask, floats, integers
from dcsim.metrics.figures import Figures, finite, ratio
from dcsim.metrics.job_queues import by_queue
from dcsim.metrics.window import Window
from dcsim.tables import Table
from dcsim.tables.jobs import JobReason, JobStatus
from dcsim.units import SECONDS_PER_HOUR

_QUANTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99}
_ENDS = (JobStatus.FINISHED, JobStatus.INFEASIBLE, JobStatus.ABANDONED)
_NO_ENDS = (JobStatus.RUNNING, JobStatus.WAITING)  # when the simulation ended
_BOUND_S = 10.0  # of run times in slowdowns: shorter jobs count as if they took so long


def jobs_figures(tables: Mapping[str, Table], window: Window) -> Figures:
    """Figures of the jobs submitted in the window, and of the pool in it.

    Percentiles count jobs that did not finish, other than infeasible ones, as slower than all others: one
    that falls among them is None. Means and maxima are those of finished jobs.

    Bounded slowdown is (wait + run time) / max(run time, 10 s), at least 1 (Feitelson, "Metrics for parallel
    job scheduling and their convergence", JSSPP 2001, LNCS 2221).
    """
    jobs, pool = tables["jobs"], tables["pool"]
    submitted_at_s = floats(jobs, "submitted_at_s")
    inside = (submitted_at_s >= window.started_at_s) & (submitted_at_s <= window.ended_at_s)
    status = integers(jobs, "status")[inside]
    is_finished = status == JobStatus.FINISHED
    jct_s = (floats(jobs, "finished_at_s") - submitted_at_s)[inside][is_finished]
    run_s = floats(jobs, "duration_s")[inside][is_finished]
    wait_s = floats(jobs, "wait_s")[inside][is_finished]
    slowdown = np.maximum(jct_s / np.maximum(run_s, _BOUND_S), 1.0)
    num_beyond = int((~is_finished & (status != JobStatus.INFEASIBLE)).sum())
    return {
        "num_submitted": int(inside.sum()),
        **{f"num_{one.name.lower()}": int((status == one).sum()) for one in _ENDS},
        "num_unfinished": int(np.isin(status, _NO_ENDS).sum()),
        "num_by_reason": _reasons(jobs, inside),
        "wait_s": _spread(wait_s, num_beyond),
        "completion_s": _spread(jct_s, num_beyond),
        "slowdown": _spread(slowdown, num_beyond),
        "num_preemptions": int(integers(jobs, "num_preemptions")[inside].sum()),
        "num_failures": int(integers(jobs, "num_failures")[inside].sum()),
        **_pool_figures(pool, window),
        **by_queue(jobs, inside),
    }


def _reasons(jobs: Table, inside: Mask) -> Figures:
    """Jobs that could never start, by why."""
    reasons = [JobReason(int(one)) for one in jobs["reason"][inside]]
    counts = {reason: reasons.count(reason) for reason in JobReason if reason is not JobReason.NONE}
    return {reason.name.lower(): count for reason, count in counts.items() if count}


def _spread(values: Array, num_beyond: int) -> Figures:
    if not len(values):
        return {"mean": None, **dict.fromkeys(_QUANTILES), "max": None}
    named = dict(zip(_QUANTILES, percentile(values, list(_QUANTILES.values()), num_beyond), strict=True))
    return {"mean": float(values.mean()), **named, "max": float(values.max())}


def _pool_figures(pool: Table, window: Window) -> Figures:
    duration_s = floats(pool, "duration_s")
    inside_s = duration_s * window.share_within(floats(pool, "started_at_s"), duration_s)

    def mean(column: str) -> float:
        return float((floats(pool, column) * inside_s).sum())

    used, there = mean("num_used"), mean("num_used") + mean("num_free")
    whole_s = float(inside_s.sum())
    return {
        "utilization_frac": ratio(used, there),
        "num_waiting": {"mean": ratio(mean("num_waiting"), whole_s)},
        "num_running": {"mean": ratio(mean("num_running"), whole_s)},
        "fragmentation_frac": ratio(mean("fragmentation_frac"), whole_s),
        "accelerator_h": finite(used / SECONDS_PER_HOUR),
    }
