"""Job schedulers against theory: Erlang's formula, Schrage's theorem, and what each scheduler promises."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcsim.formulas.queueing import mmc_mean_wait_s
from dcsim.plugins import policy_names
from dcsim.sim.jobs.job_run import JobRun
from tests.sim.jobs.small import SCHEDULERS, ends_s, played, run_of, scheduler_named, starts_s
from tests.truth.intervals import assert_mean_is

NUM_JOBS, NUM_WARMUP, NUM_REPLICATIONS = 3000, 300, 8
ALL = policy_names(SCHEDULERS)
job_lists = st.lists(
    st.tuples(st.integers(0, 30), st.integers(1, 20), st.sampled_from([1, 1, 2, 3, 4])),
    min_size=1,
    max_size=14,
)


def runs_of(rows: list[tuple[int, int, int]]) -> list[JobRun]:
    ordered = sorted(rows, key=lambda row: row[0])
    return [run_of(i, float(at), float(length), size) for i, (at, length, size) in enumerate(ordered)]


@pytest.mark.parametrize(("num_accelerators", "utilization_frac"), [(1, 0.6), (4, 0.7)])
def test_one_accelerator_jobs_under_fifo_wait_as_erlang_says(num_accelerators, utilization_frac):
    rate_per_s, waits = utilization_frac * num_accelerators, []
    for replication in range(NUM_REPLICATIONS):
        rng = np.random.default_rng(replication)
        at_s = np.cumsum(rng.exponential(1 / rate_per_s, NUM_JOBS))
        length_s = rng.exponential(1.0, NUM_JOBS)
        runs = [run_of(i, *row) for i, row in enumerate(zip(at_s.tolist(), length_s.tolist(), strict=True))]
        cluster = played(scheduler_named("fifo"), runs, [num_accelerators])
        waits.append(float(np.mean([run.wait_s for run in cluster.runs][NUM_WARMUP:])))
    assert_mean_is(mmc_mean_wait_s(rate_per_s, 1.0, num_accelerators), waits, tightness=0.25)


@pytest.mark.parametrize("name", ALL)
@settings(max_examples=10, deadline=None)
@given(rows=job_lists)
def test_every_job_does_all_its_work_and_no_accelerator_works_twice(name, rows):
    cluster = played(scheduler_named(name), runs_of(rows), [4])
    for run in cluster.runs:
        assert run.finished_at_s >= run.job.submitted_at_s + (
            0 if name == "elastic" else run.duration_s - 1e-6
        )
        waited_s = run.finished_at_s - run.job.submitted_at_s - run.held_s
        assert run.wait_s == pytest.approx(waited_s, abs=1e-6)
        if name != "elastic":
            assert run.held_s == pytest.approx(run.duration_s, abs=1e-6)
    end_s = max(ends_s(cluster))
    pool = cluster.log.table(end_s)
    used = float((pool["num_used"] * pool["duration_s"]).sum())
    assert used == pytest.approx(sum(run.accelerator_s for run in cluster.runs), abs=1e-6)
    assert np.allclose(pool["num_used"] + pool["num_free"], 4.0)


@settings(max_examples=15, deadline=None)
@given(rows=st.lists(st.tuples(st.integers(0, 30), st.integers(1, 20), st.just(1)), min_size=1, max_size=12))
def test_shortest_remaining_has_the_least_mean_time_in_the_system_on_one_accelerator(rows):
    means = {}
    for name in ALL:
        cluster = played(scheduler_named(name), runs_of(rows), [1])
        means[name] = float(np.mean([run.finished_at_s - run.job.submitted_at_s for run in cluster.runs]))
    assert means["shortest_remaining"] <= min(means.values()) + 1e-9


def busy_s(runs: list[JobRun]) -> float:
    """Time in which at least one job is there, on one accelerator that never idles with work at hand."""
    end_s, total_s = 0.0, 0.0
    for run in runs:
        begin_s = max(end_s, run.job.submitted_at_s)
        end_s = begin_s + run.duration_s
        total_s += run.duration_s
    return end_s


@pytest.mark.parametrize("name", [one for one in ALL if one not in ("elastic",)])
@settings(max_examples=10, deadline=None)
@given(rows=st.lists(st.tuples(st.integers(0, 30), st.integers(1, 20), st.just(1)), min_size=1, max_size=12))
def test_no_scheduler_idles_while_a_job_that_fits_waits(name, rows):
    """On one accelerator every order that conserves work empties the system at the same instant."""
    cluster = played(scheduler_named(name), runs_of(rows), [1])
    assert max(ends_s(cluster)) == pytest.approx(busy_s(runs_of(rows)), abs=1e-6)


@settings(max_examples=40, deadline=None)
@given(rows=job_lists)
def test_easy_never_delays_the_first_job_that_waits(rows):
    """With exact estimates, the first in line starts no later than if nobody behind it had started since."""
    cluster = played(scheduler_named("easy_backfill"), runs_of(rows), [4])
    start_s, end_s = starts_s(cluster), ends_s(cluster)
    for i, run in enumerate(cluster.runs):
        first_at_s = max([run.job.submitted_at_s, *start_s[:i]])
        if start_s[i] <= first_at_s:
            continue
        others = [k for k in range(len(start_s)) if k != i and start_s[k] <= first_at_s < end_s[k]]
        ends = sorted({first_at_s, *(end_s[k] for k in others)})
        size = [one.job.request.num_accelerators for one in cluster.runs]
        alone_s = next(t for t in ends if 4 - sum(size[k] for k in others if end_s[k] > t) >= size[i])
        assert start_s[i] <= alone_s + 1e-9


@settings(max_examples=40, deadline=None)
@given(rows=job_lists)
def test_conservative_backfill_starts_no_job_later_than_fifo_would(rows):
    conservative = starts_s(played(scheduler_named("conservative_backfill"), runs_of(rows), [4]))
    fifo = starts_s(played(scheduler_named("fifo"), runs_of(rows), [4]))
    assert all(ours <= theirs + 1e-9 for ours, theirs in zip(conservative, fifo, strict=True))
