"""Jobs on the clock: what preemption, failures, maintenance, spot capacity and resizing cost."""

from __future__ import annotations

import math

import numpy as np
import pytest
import simpy

from dcsim.policies.job_schedulers.elastic import Elastic
from dcsim.policies.job_schedulers.fifo import Fifo
from dcsim.policies.job_schedulers.priority import Priority
from dcsim.policies.job_schedulers.qssf import Qssf
from dcsim.policies.job_schedulers.quota import Quota
from dcsim.sim.jobs.capacity import start_maintenance, start_spot
from dcsim.sim.jobs.history import RunTimeHistory
from dcsim.sim.jobs.job_cluster import JobCluster, Restarts
from dcsim.sim.jobs.pool import NodePool
from dcsim.spec.jobs import NodeWindow, Spot
from dcsim.tables.jobs import JobReason, JobStatus
from tests.sim.jobs.small import ends_s, played, pool_of, run_of, starts_s


def clock(sizes, runs, scheduler=None, restarts=None) -> tuple[simpy.Environment, NodePool, JobCluster]:
    environment, pool = simpy.Environment(), pool_of(sizes)
    cluster = JobCluster(environment, pool, scheduler or Fifo(), runs, restarts or Restarts(), bin_s=10.0)
    cluster.start()
    return environment, pool, cluster


def at(environment: simpy.Environment, delay_s: float, call) -> None:
    def wait() -> simpy.events.ProcessGenerator:
        yield environment.timeout(delay_s)
        call()

    environment.process(wait())


def test_a_gang_waits_until_all_its_accelerators_are_free():
    cluster = played(Fifo(), [run_of(0, 0, 10, 3), run_of(1, 0, 10, 4), run_of(2, 0, 10, 1)], [4])
    assert starts_s(cluster) == [0, 10, 20]


def test_a_decision_sees_all_that_happens_at_its_instant():
    """Job 0 ends when jobs 1 and 2 come: the shorter, which comes second, is not overtaken."""
    runs = [run_of(0, 0, 10), run_of(1, 10, 50, priority=0), run_of(2, 10, 5, priority=1)]
    assert starts_s(played(Priority.model_validate({"preemption": False}), runs, [1])) == [0, 15, 10]


def test_a_preempted_job_keeps_its_work_and_pays_the_restart():
    runs = [run_of(0, 0, 100), run_of(1, 40, 10, priority=1)]
    cluster = played(Priority(), runs, [1], Restarts(restart_s=5))
    assert ends_s(cluster) == [115, 50]  # 40 done, 10 for the other, 5 to restart, 60 left
    assert cluster.runs[0].num_preemptions == 1
    assert cluster.runs[0].lost_s == 0  # restarts are counted when the run that paid them ends
    assert cluster.runs[0].wait_s == 10


def test_without_saving_a_preempted_job_goes_back_to_its_last_checkpoint():
    runs = [run_of(0, 0, 100), run_of(1, 40, 10, priority=1)]
    restarts = Restarts(checkpoint_interval_s=15, saves_on_preemption=False)
    cluster = played(Priority(), runs, [1], restarts)
    assert ends_s(cluster) == [120, 50]  # 30 of 40 saved, 70 left at 50
    assert cluster.runs[0].lost_s == 10


def test_a_failed_node_costs_what_was_not_saved_and_the_job_goes_elsewhere():
    environment, pool, cluster = clock([2, 2], [run_of(0, 0, 100, 2)], restarts=Restarts(4.0, 30.0))
    at(environment, 70, lambda: pool.fail(0))
    environment.run(until=cluster.done)
    assert ends_s(cluster) == [70 + 4 + 40]
    assert (cluster.runs[0].num_failures, cluster.runs[0].lost_s) == (1, 10)


def test_without_checkpoints_a_failure_costs_the_whole_run():
    environment, pool, cluster = clock([1], [run_of(0, 0, 100)])
    at(environment, 70, lambda: pool.fail(0))
    at(environment, 80, lambda: pool.repair(0))
    environment.run(until=cluster.done)
    assert ends_s(cluster) == [180]


def test_a_job_that_is_restarted_too_often_is_given_up():
    environment, pool, cluster = clock([1], [run_of(0, 0, 100)], restarts=Restarts(max_restarts=2))
    for i in range(5):
        at(environment, 50.0 * i + 40, lambda: pool.fail(0))
        at(environment, 50.0 * i + 45, lambda: pool.repair(0))
    environment.run(until=cluster.done)
    assert cluster.runs[0].status is JobStatus.ABANDONED
    assert cluster.runs[0].num_failures == 3


def test_maintenance_drains_stops_in_good_order_and_comes_again():
    runs = [run_of(0, 0, 100, 1), run_of(1, 15, 10, 1)]
    environment, pool, cluster = clock([2], runs)
    window = NodeWindow.model_validate(
        {"start": "20 s", "duration": "5 s", "drain": "10 s", "every": "50 s", "num_nodes": 1}
    )
    start_maintenance(environment, pool, window)
    environment.run(until=cluster.done)
    assert starts_s(cluster) == [0, 25]  # job 1 comes during the drain
    assert cluster.runs[0].num_preemptions == 2
    assert ends_s(cluster)[0] == 100 + 5 + 5


def test_spot_nodes_come_and_go_and_jobs_survive_with_notice():
    runs = [run_of(i, 0, 500, 1) for i in range(4)]
    environment, pool, cluster = clock([1, 1, 1, 1], runs)
    spot = Spot.model_validate(
        {"num_nodes": 3, "mean_available": "100 s", "mean_away": "20 s", "notice": "10 s"}
    )
    start_spot(environment, pool, spot, np.random.default_rng(5))
    environment.run(until=cluster.done)
    assert all(run.status is JobStatus.FINISHED for run in runs)
    assert sum(run.num_preemptions for run in runs) > 0
    assert all(run.held_s == pytest.approx(500) for run in runs)  # nothing was lost
    assert runs[0].num_preemptions == 0  # the first node is not spot


def test_jobs_on_nodes_that_serving_takes_back_stop_and_go_on_when_they_are_lent_again():
    environment, pool, cluster = clock([1, 1], [run_of(0, 0, 100), run_of(1, 0, 100)])
    at(environment, 30, lambda: (pool.close(0), pool.evict(0, is_orderly=True)))
    at(environment, 50, lambda: pool.open(0))
    environment.run(until=cluster.done)
    assert sorted(ends_s(cluster)) == [100, 120]


def test_an_elastic_job_runs_as_fast_as_its_size_allows():
    scheduler = Elastic.model_validate({"doubling_efficiency": "80 %", "largest": 2, "interval": "10 s"})
    cluster = played(scheduler, [run_of(0, 0, 160, 1)], [2])
    run = cluster.runs[0]
    assert run.num_resizes == 1
    assert run.finished_at_s == pytest.approx(100)  # 160 / 1.6, grown at once
    assert run.accelerator_s == pytest.approx(200)


def test_an_elastic_job_shrinks_to_let_another_start():
    scheduler = Elastic.model_validate({"doubling_efficiency": "100 %", "largest": 1, "smallest": 0.5})
    cluster = played(scheduler, [run_of(0, 0, 100, 4), run_of(1, 50, 10, 2)], [4])
    assert starts_s(cluster) == [0, 50]
    assert cluster.runs[0].num_resizes >= 1
    assert ends_s(cluster) == [150, 60]  # half done at 50 s, then half speed: growth waits for 300 s


@pytest.mark.parametrize(
    ("size", "reason"), [(9, JobReason.ACCELERATORS), (6, JobReason.NODES), (4, JobReason.NONE)]
)
def test_a_job_that_can_never_start_is_recorded_with_the_reason(size, reason):
    """Six make a full node of four and a rest of two, which no node of one accelerator holds."""
    sizes = [4, 4] if size != 6 else [4, 1, 1, 1, 1]
    cluster = played(Fifo(), [run_of(0, 0, 10, size), run_of(1, 1, 10, 1)], sizes)
    expected = JobStatus.FINISHED if reason is JobReason.NONE else JobStatus.INFEASIBLE
    assert (cluster.runs[0].status, cluster.runs[0].reason) == (expected, reason)
    assert cluster.runs[1].status is JobStatus.FINISHED


def test_a_job_above_its_quota_is_infeasible_where_nothing_is_lent():
    scheduler = Quota.model_validate({"quotas": {"a": 2}, "borrowing": False})
    cluster = played(scheduler, [run_of(0, 0, 10, 3, queue="a"), run_of(1, 0, 10, 2, queue="a")], [4])
    assert cluster.runs[0].reason is JobReason.SCHEDULER
    assert cluster.runs[1].status is JobStatus.FINISHED


def test_qssf_learns_from_finished_jobs_of_the_user():
    history = RunTimeHistory(decay_frac=0.5)
    assert math.isnan(history.predicted_s("ann", 1))
    history.record("ann", 1, 100)
    history.record("ann", 1, 200)
    history.record("bob", 4, 10)
    assert history.predicted_s("ann", 1) == 150
    assert history.predicted_s("ann", 8) == 150  # the user's other jobs
    assert history.predicted_s("eve", 4) == 10  # others' jobs of that size
    runs = [run_of(0, 0, 50, queue="slow"), run_of(1, 0, 5, queue="fast")]
    runs += [
        run_of(2, 60, 50, queue="slow"),
        run_of(3, 60.5, 50, queue="slow"),
        run_of(4, 61, 5, queue="fast"),
    ]
    assert starts_s(played(Qssf(), runs, [1]))[2:] == [60, 115, 110]


def test_rows_of_unfinished_jobs_say_how_far_they_got():
    cluster = played(Fifo(), [run_of(0, 0, 100), run_of(1, 10, 100)], [1], until_s=50)
    assert [run.status for run in cluster.runs] == [JobStatus.RUNNING, JobStatus.WAITING]
