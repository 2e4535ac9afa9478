"""Replicas that pause, their nodes that work for jobs, and both back again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcsim.tables import RequestStatus
from dcsim.tables.jobs import JobStatus
from tests.sim.lending.one_pool import LOAD_S, PER_NODE, START_S, STEP_S, Played, job, play

WINDOW = {"start": "100 s", "duration": "200 s", "replicas": 2}


def rows(played: Played, *columns: str) -> list[tuple[float, ...]]:
    return list(zip(*(played.lending[name].tolist() for name in columns), strict=True))


def is_same(one: Played, other: Played) -> bool:
    tables = [
        (played.serving.requests, played.serving.steps, played.lending, played.pauses)
        for played in (one, other)
    ]
    return all(
        a[name].tobytes() == b[name].tobytes()
        for a, b in zip(*tables, strict=True)
        for name in a.columns
        if a[name].dtype.kind != "O"
    )


def test_idle_replicas_lend_their_node_from_start_to_end_of_a_window_and_serve_when_weights_are_there():
    played = play({"idle": [WINDOW]}, [0.0], [])
    assert rows(played, "node", "started_at_s", "ended_at_s", "num_preempted") == [(1, 100.0, 300.0, 0)]
    assert played.pauses["replica"].tolist() == [3, 2]
    assert played.pauses["off_at_s"].tolist() == [100.0, 100.0]
    assert played.pauses["wanted_at_s"].tolist() == [300.0, 300.0]
    assert played.pauses["serving_at_s"].tolist() == [300.0 + START_S + LOAD_S] * 2


def test_the_start_of_processes_may_be_another_than_after_failures():
    played = play({"idle": [WINDOW], "startup": "1 min"}, [0.0], [])
    assert played.pauses["serving_at_s"].tolist() == [300.0 + 60.0 + LOAD_S] * 2


def test_windows_come_again_every_period():
    window = {"start": "0 s", "duration": "30 s", "every": "100 s", "replicas": 2}
    played = play({"idle": [window]}, [0.0], [], until_s=350.0)
    assert played.lending["started_at_s"].tolist() == [0.0, 100.0, 200.0, 300.0]
    assert played.lending["ended_at_s"].tolist() == [30.0, 130.0, 230.0, 330.0]


def test_of_windows_that_overlap_the_one_with_most_counts():
    narrow = {"start": "50 s", "duration": "300 s", "replicas": 2}
    wide = {"start": "100 s", "duration": "100 s", "replicas": 3}
    played = play({"idle": [narrow, narrow, wide]}, [0.0], [], num_replicas=6)
    assert played.pauses["replica"].tolist() == [5, 4, 3]
    assert played.pauses["wanted_at_s"].tolist() == [350.0, 350.0, 200.0]
    assert rows(played, "node", "started_at_s", "ended_at_s") == [(2, 50.0, 350.0)]


def test_a_node_is_lent_when_the_last_replica_on_it_is_off_and_not_before():
    played = play({"idle": [{**WINDOW, "replicas": 3}]}, [0.0], [])
    assert played.lending["node"].tolist() == [1]


def test_requests_in_flight_finish_where_they_are_before_the_node_is_lent():
    arrivals = [99.0] * 4  # one for each replica; twenty seconds long
    played = play({"idle": [WINDOW]}, arrivals, [job(0, 0.0, 50.0, 2)], num_outputs=40)
    done_s = 99.0 + 40 * STEP_S
    assert played.serving.requests["finished_at_s"].tolist() == pytest.approx([done_s] * 4)
    assert played.serving.requests["num_preemptions"].tolist() == [0] * 4
    assert played.lending["started_at_s"].tolist() == pytest.approx([done_s])
    assert played.jobs[0].first_started_at_s == pytest.approx(done_s)


def test_replicas_that_finish_get_no_new_requests():
    arrivals = [99.0] * 4 + [101.0] * 6
    played = play({"idle": [WINDOW]}, arrivals, [], num_outputs=40)
    assert set(played.serving.requests["replica"][4:].tolist()) == {0, 1}
    assert (played.serving.requests["status"] == RequestStatus.FINISHED).all()


def test_a_replica_wanted_back_before_it_has_finished_goes_on_at_once():
    short = {"start": "100 s", "duration": "5 s", "replicas": 2}
    played = play({"idle": [short]}, [99.0] * 4, [], num_outputs=40)
    assert len(played.lending["node"]) == 0
    assert np.isnan(played.pauses["off_at_s"]).all()
    assert played.pauses["serving_at_s"].tolist() == [105.0, 105.0]


def test_a_job_on_a_node_that_is_taken_back_keeps_its_work_and_goes_on_elsewhere():
    jobs = [job(0, 0.0, 400.0, PER_NODE), job(1, 0.0, 350.0, PER_NODE)]
    played = play({"idle": [WINDOW]}, [0.0], jobs, num_job_nodes=1)
    second = played.jobs[1]
    assert played.lending["num_preempted"].tolist() == [1]
    assert second.held == [(1, 100.0, 300.0), (2, 400.0, 550.0)]
    assert (second.num_preemptions, second.num_failures, second.lost_s) == (1, 0, 0.0)
    assert second.status is JobStatus.FINISHED


def test_a_start_that_is_not_wanted_any_more_ends_and_the_node_is_lent_again():
    first = {"start": "0 s", "duration": "50 s", "replicas": 2}
    second = {"start": "55 s", "duration": "50 s", "replicas": 2}
    played = play({"idle": [first, second]}, [0.0], [])
    back_s = 50.0 + START_S + LOAD_S
    assert rows(played, "started_at_s", "ended_at_s") == [(0.0, 50.0), (back_s, 105.0)]
    assert played.pauses["serving_at_s"].tolist() == [105.0 + START_S + LOAD_S] * 2


def test_by_load_lends_and_takes_back_as_worked_out_by_hand():
    """Four replicas of 8 requests, and requests that take 20 steps, 10 s.

    One a second until 99.5 s: 950 s of requests by 100 s, a load of 9.5 / 32 = 30 %, and all replicas stay.
    The other 50 s of them by 200 s: a load of 0.5 / 32 = 2 %, and ceil(0.5 / (8 x 40 %)) = 1 stays.
    Four a second from 200.5 s on: far beyond 60 % of that one, and all are wanted at 300 s.
    """
    band = {"policy": "by_load", "lend_below": "20 %", "take_back_above": "60 %", "every": "100 s"}
    quiet = [0.5 + i for i in range(100)]
    busy = [200.5 + i / 4 for i in range(800)]
    played = play({"autoscaler": band}, quiet + busy, [], num_outputs=20)
    assert played.pauses["asked_at_s"].tolist()[:3] == [200.0] * 3
    assert played.pauses["replica"].tolist()[:3] == [3, 2, 1]
    assert played.pauses["wanted_at_s"].tolist()[:3] == [300.0] * 3
    assert rows(played, "node", "started_at_s", "ended_at_s")[0] == (1, 200.0, 300.0)


def test_a_lent_node_that_fails_is_the_jobs_loss_and_comes_back_to_them(tmp_path: Path):
    window = {"start": "100 s", "duration": "3000 s", "replicas": 2}
    played = play({"idle": [window]}, [0.0], [job(0, 0.0, 300.0)], failed_at_s={1: 200.0}, folder=tmp_path)
    (run,) = played.jobs
    assert (run.num_failures, run.lost_s) == (1, 100.0)
    assert run.status is JobStatus.FINISHED
    first, second = rows(played, "node", "started_at_s", "ended_at_s", "ended_by")
    assert first == (1, 100.0, 200.0, "out_of_service")
    assert (second[0], *second[2:]) == (1, 3100.0, "taken_back")
    assert second[1] == run.held[-1][1] > 200.0  # the job goes on when its node is repaired


def test_a_lent_node_that_is_broken_when_it_is_wanted_is_replaced_by_a_spare(tmp_path: Path):
    arrivals = [310.0 + i / 8 for i in range(400)]
    played = play({"idle": [WINDOW]}, arrivals, [], num_spares=1, failed_at_s={1: 299.0}, folder=tmp_path)
    serving = played.serving
    first_s = serving.steps["started_at_s"][serving.steps["engine"] >= 2].min()
    assert first_s >= 300.0 + 1.0 + START_S + LOAD_S
    assert first_s < 330.0
    back_s = 300.0 + 1.0 + START_S + LOAD_S
    assert played.pauses["serving_at_s"].tolist() == pytest.approx([back_s] * 2)
    assert rows(played, "ended_at_s", "ended_by") == [(299.0, "out_of_service")]
    assert (serving.requests["status"] == RequestStatus.FINISHED).all()


def test_a_replica_whose_node_fails_while_it_starts_serves_when_its_spare_has_the_weights(tmp_path: Path):
    played = play({"idle": [WINDOW]}, [0.0], [], num_spares=1, failed_at_s={1: 305.0}, folder=tmp_path)
    back_s = 305.0 + 1.0 + START_S + LOAD_S
    assert played.pauses["serving_at_s"].tolist() == pytest.approx([back_s] * 2)


def test_a_spare_that_took_the_place_of_a_failed_node_is_lent_in_its_stead(tmp_path: Path):
    played = play({"idle": [WINDOW]}, [0.0], [], num_spares=1, failed_at_s={1: 20.0}, folder=tmp_path)
    assert rows(played, "node", "started_at_s", "ended_at_s") == [(2, 100.0, 300.0)]


windows = st.lists(
    st.fixed_dictionaries(
        {
            "start": st.integers(0, 300).map("{} s".format),
            "duration": st.integers(1, 80).map("{} s".format),
            "every": st.integers(81, 200).map("{} s".format),
            "replicas": st.integers(1, 5),
        }
    ),
    min_size=1,
    max_size=3,
)
bands = st.none() | st.fixed_dictionaries(
    {
        "policy": st.just("by_load"),
        "every": st.integers(5, 60).map("{} s".format),
        "full_at": st.integers(1, 6),
    }
)
submissions = st.lists(
    st.tuples(st.floats(0, 400), st.floats(1, 200), st.sampled_from([0.5, 1.0, 2.0, 4.0])), max_size=12
)


@settings(max_examples=40, deadline=None)
@given(windows, bands, st.lists(st.floats(0, 500), min_size=1, max_size=80), submissions)
def test_no_accelerator_works_for_both_and_nothing_is_lost(idle, autoscaler, arrivals, submitted):
    def once() -> Played:
        jobs = [job(i, *one) for i, one in enumerate(sorted(submitted))]
        section = {"idle": idle, "autoscaler": autoscaler}
        return play(section, sorted(arrivals), jobs, num_replicas=6, num_job_nodes=1)

    played = once()
    assert is_same(played, once())
    assert (played.serving.requests["status"] == RequestStatus.FINISHED).all()
    assert (played.serving.requests["num_generated_tokens"] == 10).all()
    loans = [
        (node, started_s, np.inf if np.isnan(ended_s) else ended_s)
        for node, started_s, ended_s in rows(played, "node", "started_at_s", "ended_at_s")
    ]
    steps = played.serving.steps
    nodes, ends_s = steps["engine"] // PER_NODE, steps["started_at_s"] + steps["duration_s"]
    for node, started_s, ended_s in loans:
        overlap_s = np.minimum(ends_s, ended_s) - np.maximum(steps["started_at_s"], started_s)
        assert (overlap_s[nodes == node] <= 1e-9).all()
    for run in played.jobs:
        assert run.lost_s == 0.0
        for node, began_s, ended_s in run.held:
            is_own = node == 3  # the jobs' own node
            assert is_own or any(node == n and a <= began_s and ended_s <= b for n, a, b in loans)
        held_s = sum(end_s - began_s for _, began_s, end_s in set(run.held))
        if run.status is JobStatus.FINISHED:
            assert held_s >= run.duration_s - 1e-6
