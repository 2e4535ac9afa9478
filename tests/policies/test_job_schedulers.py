"""Decisions of job schedulers: a queue, running jobs and free nodes in; jobs that start or stop out."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from dcsim.policies.availability import Availability
from dcsim.policies.job import Job
from dcsim.policies.job_queue import JobQueue
from dcsim.policies.job_schedulers.conservative_backfill import ConservativeBackfill
from dcsim.policies.job_schedulers.easy_backfill import EasyBackfill
from dcsim.policies.job_schedulers.elastic import Elastic
from dcsim.policies.job_schedulers.fair_share import FairShare
from dcsim.policies.job_schedulers.fifo import Fifo
from dcsim.policies.job_schedulers.least_attained_service import LeastAttainedService
from dcsim.policies.job_schedulers.priority import Priority
from dcsim.policies.job_schedulers.qssf import Qssf
from dcsim.policies.job_schedulers.quota import Quota
from dcsim.policies.job_schedulers.shortest_job import ShortestJob
from dcsim.policies.job_schedulers.shortest_remaining import ShortestRemaining
from dcsim.policies.nodes import Nodes, NodeShape
from dcsim.policies.placements.pack import Pack
from dcsim.policies.request import Request
from dcsim.policies.room import ActionKind, Room
from dcsim.policies.running_jobs import RunningJobs
from dcsim.policies.trial import decided


def job(number: int, size: float = 1, estimated_s: float = 100.0, **fields: object) -> Job:
    return Job(number, float(number), Request(size), estimated_s, **fields)  # type: ignore[arg-type]


def numbers(room: Room, kind: ActionKind = ActionKind.START) -> list[int]:
    return [action.job.number for action in room.actions if action.kind is kind]


def test_fifo_waits_for_the_first_that_finds_no_room():
    assert numbers(decided(Fifo(), [job(1), job(2, 4), job(3)], [], [4])) == [1]


def test_fifo_may_let_others_pass():
    room = decided(Fifo.model_validate({"let_pass": True}), [job(1), job(2, 4), job(3)], [], [4])
    assert numbers(room) == [1, 3]


def test_shortest_job_starts_the_shortest_first():
    room = decided(ShortestJob(), [job(1, 1, 30.0), job(2, 1, 10.0), job(3, 1, 20.0)], [], [2])
    assert numbers(room) == [2, 3]


def test_qssf_goes_by_predicted_run_time_times_accelerators():
    waiting = [job(1, 2, predicted_s=10.0), job(2, 1, predicted_s=15.0)]
    assert numbers(decided(Qssf(), waiting, [], [2])) == [2]


def test_easy_starts_a_later_job_that_ends_before_the_first_can_start():
    running = [job(0, 3, 50.0)]
    short, long = job(2, 1, 50.0), job(3, 1, 51.0)
    assert numbers(decided(EasyBackfill(), [job(1, 4), long], running, [4])) == []
    assert numbers(decided(EasyBackfill(), [job(1, 4), short], [job(0, 3, 50.0)], [4])) == [2]


def test_easy_starts_a_long_job_beside_which_the_first_fits():
    waiting = [job(1, 4), job(2, 1, 1e6)]
    assert numbers(decided(EasyBackfill(), waiting, [job(0, 3, 50.0)], [1, 4])) == [2]


def test_easy_looks_at_nodes_and_not_at_the_sum_of_accelerators():
    """The first job needs a whole node: one accelerator on the node that comes free would delay it."""
    waiting = [job(1, 4), job(2, 2, 1e6)]
    room = decided(EasyBackfill(), waiting, [job(0, 2, 50.0), job(9, 3, 1e9)], [4, 4])
    assert numbers(room) == []


def test_conservative_delays_no_earlier_job():
    """Job 3 would fit beside the first job, and would delay the second, which EASY does not protect."""
    running, waiting = [job(0, 2, 10.0)], [job(1, 3, 10.0), job(2, 4, 10.0), job(3, 1, 25.0)]
    assert numbers(decided(ConservativeBackfill(), waiting, running, [4])) == []
    running, waiting = [job(0, 2, 10.0)], [job(1, 3, 10.0), job(2, 4, 10.0), job(3, 1, 25.0)]
    assert numbers(decided(EasyBackfill(), waiting, running, [4])) == [3]


def test_conservative_starts_a_job_that_ends_before_reservations_need_it():
    running, waiting = [job(0, 2, 10.0)], [job(1, 4, 10.0), job(2, 2, 10.0)]
    assert numbers(decided(ConservativeBackfill(), waiting, running, [4])) == [2]


def started_if_all_hold_reservations(waiting: list[Job], room: Room) -> list[int]:
    """The rule word by word: every waiting job in line gets a reservation, and starts if that is due."""
    plan = Availability(room.now_s, room.nodes.num_free, *room.running.releases())
    started = []
    for one in waiting:
        starts_at_s = plan.earliest_s(one.num_held, one.expected_run_s)
        plan.reserve(starts_at_s, one.num_held, one.expected_run_s)
        if starts_at_s <= room.now_s:
            started.append(one.number)
    return started


@pytest.mark.parametrize("seed", range(40))
def test_conservative_starts_whom_reservations_for_all_would_start(seed: int):
    rng = np.random.default_rng(seed)
    running = [job(n, 1, float(rng.integers(1, 30))) for n in range(int(rng.integers(1, 12)))]
    waiting = [
        job(100 + n, float(rng.integers(1, 13)), float(rng.integers(1, 40)))
        for n in range(int(rng.integers(1, 25)))
    ]
    now_s = float(rng.integers(0, 20))  # some of those that run are overdue
    empty = decided(Fifo(), [], running, [1] * 12, now_s)  # on such nodes whatever is free has room
    expected = started_if_all_hold_reservations(waiting, empty)
    room = decided(ConservativeBackfill(), waiting, running, [1] * 12, now_s)
    assert numbers(room) == [number for number in expected if number in numbers(room)]
    free = empty.nodes.num_free - sum(action.number for action in room.actions)
    left_out = [one for one in waiting if one.number in expected and one.number not in numbers(room)]
    assert all(one.num_held > free for one in left_out), "only those that count on overdue jobs wait on"


def test_priority_preempts_the_lowest_and_no_more_than_it_takes():
    running = [job(0, 1, priority=2), job(1, 1, priority=0), job(2, 1, priority=1), job(3, 1, priority=0)]
    room = decided(Priority(), [job(4, 2, priority=3)], running, [4])
    assert sorted(numbers(room, ActionKind.STOP)) == [1, 3]
    assert numbers(room) == [4]


def test_priority_stops_nobody_in_vain():
    running = [job(0, 3, priority=0), job(1, 1, priority=9)]
    room = decided(Priority(), [job(2, 4, priority=5)], running, [4])
    assert not room.actions
    assert room.nodes.num_free == 0


def test_shortest_remaining_preempts_the_longest():
    running = [job(0, 1, 50.0), job(1, 1, 200.0)]
    room = decided(ShortestRemaining(), [job(2, 1, 20.0)], running, [2], now_s=10.0)
    assert (numbers(room, ActionKind.STOP), numbers(room)) == ([1], [2])


def test_shortest_remaining_leaves_a_job_with_as_little_left():
    room = decided(ShortestRemaining(), [job(1, 1, 50.0)], [job(0, 1, 60.0)], [1], now_s=10.0)
    assert not room.actions


def test_least_attained_service_preempts_who_has_had_more_than_the_threshold():
    scheduler = LeastAttainedService.model_validate({"thresholds": ["1 min", "10 min"]})
    early = decided(scheduler, [job(2)], [job(0), job(1)], [2], now_s=59.0)
    late = decided(scheduler, [job(2)], [job(0), job(1)], [2], now_s=60.0)
    assert not early.actions
    assert scheduler.wake_at_s(early) == pytest.approx(60.0)
    assert (numbers(late, ActionKind.STOP), numbers(late)) == ([1], [2])


def test_thresholds_must_rise():
    with pytest.raises(ValidationError, match="rise"):
        LeastAttainedService.model_validate({"thresholds": ["1 h", "1 min"]})


def test_fair_share_serves_the_poorest_queue_until_shares_are_equal():
    waiting = [job(i, 1, queue="a") for i in range(6)] + [job(10 + i, 1, queue="b") for i in range(6)]
    started = numbers(decided(FairShare(), waiting, [], [6]))
    assert [number // 10 for number in started].count(0) == 3


def test_fair_share_reproduces_the_example_of_the_paper():
    """Ghodsi et al., NSDI 2011, figure 3: 9 CPUs and 18 GB; A asks <1, 4 GB>, B <3, 1 GB>: 3 and 2 tasks.

    CPUs stand for accelerators here.
    """
    gigabyte = 10**9
    nodes = Nodes([NodeShape(9, memory_bytes=18 * gigabyte)])
    waiting = [Job(i, i, Request(1, 0, 4 * gigabyte), 1.0, queue="a") for i in range(9)]
    waiting += [Job(10 + i, i, Request(3, 0, gigabyte), 1.0, queue="b") for i in range(9)]
    scheduler = FairShare()
    queue = JobQueue(scheduler.key, scheduler.kind, waiting)
    room = Room(0.0, nodes, Pack(), queue, RunningJobs(), np.random.default_rng(1))
    scheduler.decide(room)
    queues = [action.job.queue for action in room.actions]
    assert (queues.count("a"), queues.count("b")) == (3, 2)


def test_fair_share_honours_weights():
    waiting = [job(i, 1, queue="a") for i in range(9)] + [job(10 + i, 1, queue="b") for i in range(9)]
    started = numbers(decided(FairShare(weights={"a": 2.0}), waiting, [], [6]))
    assert sum(number < 10 for number in started) == 4


def test_quota_lends_what_is_idle_and_takes_it_back():
    scheduler = Quota(quotas={"a": 2, "b": 2})
    lent = decided(scheduler, [job(i, 1, queue="a") for i in range(4)], [], [4])
    assert numbers(lent) == [0, 1, 2, 3]
    back = decided(scheduler, [job(9, 2, queue="b")], [job(i, 1, queue="a") for i in range(4)], [4])
    assert sorted(numbers(back, ActionKind.STOP)) == [2, 3]
    assert numbers(back) == [9]


def test_quota_without_borrowing_stays_within_it():
    scheduler = Quota.model_validate({"quotas": {"a": 2}, "borrowing": False})
    assert numbers(decided(scheduler, [job(i, 1, queue="a") for i in range(4)], [], [4])) == [0, 1]
    assert scheduler.refusal(job(1, 3, queue="a")) is not None
    assert scheduler.refusal(job(1, 2, queue="a")) is None


def test_elastic_halves_the_job_that_waits_and_then_those_that_run():
    room = decided(Elastic(), [job(1, 4)], [job(0, 2)], [4])
    assert (numbers(room), room.actions[0].number) == ([1], 2)
    room = decided(Elastic(), [job(1, 4)], [job(0, 4)], [4])
    assert numbers(room, ActionKind.RESIZE) == [0]
    assert (numbers(room), room.nodes.num_free) == ([1], 0)


def test_elastic_grows_into_idle_accelerators():
    room = decided(Elastic(), [], [job(0, 2)], [8])
    assert numbers(room, ActionKind.RESIZE) == [0]
    assert room.actions[0].number == 4


def test_elastic_speed_is_what_doubling_leaves():
    scheduler = Elastic.model_validate({"doubling_efficiency": "90 %"})
    assert scheduler.speed(job(0, 2), 4) == pytest.approx(1.8)
    assert scheduler.speed(job(0, 2), 1) == pytest.approx(1 / 1.8)


def test_a_queue_hands_out_jobs_in_order_and_passes_over_kinds():
    jobs = [job(0, 1), job(1, 2), job(2, 1), job(3, 2), job(4, 3)]
    queue = JobQueue(lambda one: (one.submitted_at_s,), jobs=jobs)
    skipped: set[object] = set()
    seen = []
    for one in queue.in_order(skipped):
        seen.append(one.number)
        if one.request.num_accelerators == 2:
            skipped.add(queue.kind_of(one))
        else:
            queue.remove(one)
    assert seen == [0, 1, 2, 4]
    assert [one.number for one in queue] == [1, 3]
