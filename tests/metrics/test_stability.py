import numpy as np
import pytest

from dcsim.metrics.request_view import view_requests
from dcsim.metrics.stability import Stability, Verdict, judge, worst
from dcsim.metrics.window import Window
from dcsim.spec.serving import Slo
from dcsim.tables import RequestStatus
from tests.metrics.by_hand import requests, serving_tables, steps


def mm1(utilization, num, seed=1, service=None):
    """Requests of an M/M/1 queue with a mean service of one second, by Lindley's recursion."""
    rng = np.random.default_rng(seed)
    arrived = np.cumsum(rng.exponential(1.0 / utilization, num))
    return arrived, finish_times(arrived, rng.exponential(1.0, num) if service is None else service)


def finish_times(arrived, services):
    left, finished = 0.0, np.empty(len(arrived))
    for index, took in enumerate(services):
        left = max(left, arrived[index]) + took
        finished[index] = left
    return finished


def verdict(arrived, finished, **more):
    rows = [
        {"arrived_at_s": a, "scheduled_at_s": a, "first_token_at_s": f, "finished_at_s": f, **more}
        for a, f in zip(arrived, finished, strict=True)
    ]
    window = Window(0.0, float(arrived[-1]))
    tables = serving_tables(requests(*rows), steps(), ended_at_s=float(np.nanmax(finished)))
    return judge(tables, view_requests(tables.requests, window, 0.0, Slo()), window, max_request_tokens=4096)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("utilization", [0.5, 0.8, 0.9])
def test_a_queue_below_capacity_is_stable(utilization, seed):
    assert verdict(*mm1(utilization, 5000, seed)).verdict is Verdict.STABLE


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("utilization", [1.15, 1.5, 3.0])
def test_a_queue_beyond_capacity_is_unstable(utilization, seed):
    found = verdict(*mm1(utilization, 3000, seed))
    assert found.verdict is Verdict.UNSTABLE
    assert "backlog grew" in found.reason


@pytest.mark.parametrize("seed", range(8))
def test_load_that_exceeds_capacity_in_the_second_half_only_is_unstable(seed):
    rng = np.random.default_rng(seed)
    gaps = np.concatenate((rng.exponential(2.0, 1000), rng.exponential(0.7, 2900)))
    arrived = np.cumsum(gaps)
    assert (
        verdict(arrived, finish_times(arrived, rng.exponential(1.0, len(arrived)))).verdict
        is Verdict.UNSTABLE
    )


def test_unfinished_requests_are_part_of_the_backlog():
    arrived, finished = mm1(2.0, 2000)
    finished[finished > arrived[-1]] = np.nan
    assert verdict(arrived, finished).verdict is Verdict.UNSTABLE


def test_turning_away_requests_is_saturation():
    arrived, finished = mm1(0.5, 1000)
    status = np.where(np.arange(1000) % 20 == 0, RequestStatus.TIMED_OUT, RequestStatus.FINISHED)
    rows = [
        {"arrived_at_s": a, "finished_at_s": f, "status": s}
        for a, f, s in zip(arrived, finished, status, strict=True)
    ]
    window = Window(0.0, float(arrived[-1]))
    tables = serving_tables(requests(*rows), steps())
    found = judge(tables, view_requests(tables.requests, window, 0.0, Slo()), window, max_request_tokens=4096)
    assert found.verdict is Verdict.SATURATED


def test_a_prompt_too_long_is_no_sign_of_load():
    arrived, finished = mm1(0.5, 300)
    found = verdict(arrived, finished, status=RequestStatus.REJECTED, num_prompt_tokens=5000)
    assert found.verdict is Verdict.STABLE


def test_a_growing_crowd_that_is_served_as_fast_as_before_is_stable():
    arrived = 1000.0 * np.sqrt(np.linspace(0.001, 1.0, 5000))  # the rate rises in proportion to time
    assert verdict(arrived, arrived + 20.0).verdict is Verdict.STABLE


def test_all_requests_at_once_drain():
    arrived = np.zeros(100)
    arrived[-1] = 1e-9
    finished = np.linspace(1.0, 100.0, 100)
    rows = [{"arrived_at_s": a, "finished_at_s": f} for a, f in zip(arrived, finished, strict=True)]
    tables = serving_tables(requests(*rows), steps(), ended_at_s=100.0)
    window = Window(0.0, 100.0)
    found = judge(tables, view_requests(tables.requests, window, 0.0, Slo()), window, max_request_tokens=4096)
    assert found.verdict is Verdict.STABLE


def test_no_requests_are_stable():
    tables = serving_tables(requests(), steps())
    window = Window(0.0, 1.0)
    found = judge(tables, view_requests(tables.requests, window, 0.0, Slo()), window, max_request_tokens=4096)
    assert found.verdict is Verdict.STABLE


def test_the_worst_replication_decides():
    verdicts = [
        Stability(Verdict.STABLE, "a"),
        Stability(Verdict.UNSTABLE, "b"),
        Stability(Verdict.SATURATED, "c"),
    ]
    assert worst(verdicts).reason == "b"
