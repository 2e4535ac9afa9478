"""Figures of jobs by hand: waits, slowdowns, use of the pool, queues."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from dcsim.metrics.job_queues import MAX_QUEUES, queue_figures
from dcsim.metrics.jobs import jobs_figures
from dcsim.metrics.window import Window
from dcsim.policies.job_schedulers.fifo import Fifo
from dcsim.sim.jobs.job_log import job_table
from dcsim.sim.jobs.job_run import JobRun
from dcsim.tables import Table
from tests.sim.jobs.small import played, run_of


def tables(runs: Sequence[JobRun], until_s: float) -> dict[str, Table]:
    cluster = played(Fifo(), runs, [2], until_s=until_s)
    return {"jobs": job_table(cluster.runs, until_s), "pool": cluster.log.table(until_s)}


def test_waits_times_in_the_system_and_use_are_what_a_hand_finds():
    runs = [run_of(0, 0, 100, 2, queue="a"), run_of(1, 50, 100, 1, queue="b")]
    written = tables(runs, 400.0)
    figures = jobs_figures(written, Window(0.0, 400.0))
    assert figures["wait_s"]["mean"] == 25
    assert figures["completion_s"]["mean"] == 125
    assert figures["slowdown"]["max"] == 1.5
    assert figures["utilization_frac"] == pytest.approx((200 + 100) / 800)
    queues = queue_figures(written["jobs"], np.ones(2, dtype=bool))
    assert queues["b"]["wait_s"] == 50
    assert queues["a"]["accelerator_h"] == pytest.approx(200 / 3600)
    assert figures["by_queue"] == queues


def test_a_single_queue_is_not_told_apart():
    assert "by_queue" not in jobs_figures(
        tables([run_of(0, 0, 100, 2, queue="a")], 200.0), Window(0.0, 200.0)
    )


def test_of_many_queues_those_that_held_the_most_are_named():
    runs = [run_of(number, 0, 10 + number, 1, queue=f"user-{number:03}") for number in range(MAX_QUEUES + 20)]
    figures = jobs_figures(tables(runs, 1e4), Window(0.0, 1e4))
    assert set(figures["by_queue"]) == {f"user-{number:03}" for number in range(20, MAX_QUEUES + 20)}


def test_percentiles_count_jobs_that_did_not_finish():
    runs = [run_of(0, 0, 10, 2), run_of(1, 0, 1000, 2), run_of(2, 0, 10, 2)]
    figures = jobs_figures(tables(runs, 100.0), Window(0.0, 100.0))
    assert (figures["num_finished"], figures["num_running"]["mean"]) == (1, 1)
    assert figures["completion_s"]["mean"] == 10
    assert figures["completion_s"]["p50"] is None
