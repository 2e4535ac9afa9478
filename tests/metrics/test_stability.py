import numpy as np
import pytest

from dcsim.metrics.queue import queue_spells
from dcsim.metrics.request_view import view_requests
from dcsim.metrics.stability import MostTokens, Stability, Verdict, judge, worst
from dcsim.metrics.window import Window
from dcsim.spec.serving import Slo
from dcsim.study.run import run
from dcsim.tables import RequestStatus
from tests.metrics.by_hand import requests, scenario, serving_tables, steps


def mm1(utilization, num, seed=1, service=None):
    """Requests of an M/M/1 queue with a mean service of one second, by Lindley's recursion."""
    rng = np.random.default_rng(seed)
    arrived = np.cumsum(rng.exponential(1.0 / utilization, num))
    return arrived, *service_times(arrived, rng.exponential(1.0, num) if service is None else service)


def service_times(arrived, services):
    """When each request's service starts and ends, one at a time."""
    left, started, finished = 0.0, np.empty(len(arrived)), np.empty(len(arrived))
    for index, took in enumerate(services):
        started[index] = max(left, arrived[index])
        finished[index] = left = started[index] + took
    return started, finished


def verdict(arrived, started, finished, **more):
    rows = [
        {"arrived_at_s": a, "scheduled_at_s": s, "first_token_at_s": f, "finished_at_s": f, **more}
        for a, s, f in zip(arrived, started, finished, strict=True)
    ]
    return judged(rows, Window(0.0, float(arrived[-1])))


def judged(rows, window):
    tables = serving_tables(requests(*rows), steps())
    view = view_requests(tables.requests, window, 0.0, Slo())
    return judge(
        tables, [queue_spells(tables, 0.0)], view, window, MostTokens(of_request=4096, of_prompt=4000)
    )


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
        verdict(arrived, *service_times(arrived, rng.exponential(1.0, len(arrived)))).verdict
        is Verdict.UNSTABLE
    )


def test_unfinished_requests_are_part_of_the_backlog():
    arrived, started, finished = mm1(2.0, 2000)
    for instants in (started, finished):
        instants[instants > arrived[-1]] = np.nan
    assert verdict(arrived, started, finished).verdict is Verdict.UNSTABLE


@pytest.mark.parametrize("seed", range(8))
def test_service_that_grows_longer_at_a_low_load_is_stable(seed):
    rng = np.random.default_rng(seed)
    arrived = np.cumsum(rng.exponential(1.0, 1000))
    stay = np.linspace(10.0, 60.0, 1000) * rng.gamma(4.0, 0.25, 1000)  # decoded side by side, not in turn
    found = verdict(arrived, arrived + rng.exponential(0.004, 1000), arrived + stay)
    assert found.verdict is Verdict.STABLE


def test_requests_that_gave_up_are_not_completions():
    arrived, started, _ = mm1(3.0, 2000)
    late = started - arrived > 200.0
    rows = [
        {"arrived_at_s": a, "finished_at_s": a + 200.0, "status": RequestStatus.TIMED_OUT}
        if gave_up
        else {"arrived_at_s": a, "scheduled_at_s": s, "finished_at_s": s + 1.0}
        for a, s, gave_up in zip(arrived, started, late, strict=True)
    ]
    window = Window(0.0, 400.0)
    num_finished = sum(row["finished_at_s"] <= 400.0 for row in rows if "scheduled_at_s" in row)
    num_arrived = np.count_nonzero(arrived <= 400.0)
    found = judged(rows, window)
    assert found.verdict is Verdict.UNSTABLE
    assert f"completions ran at {num_finished / num_arrived:.1%} of arrivals" in found.reason
    assert "time in queue" in found.reason


def test_turning_away_requests_is_saturation():
    arrived, started, finished = mm1(0.5, 1000)
    status = np.where(np.arange(1000) % 20 == 0, RequestStatus.TIMED_OUT, RequestStatus.FINISHED)
    rows = [
        {"arrived_at_s": a, "scheduled_at_s": b, "finished_at_s": f, "status": s}
        for a, b, f, s in zip(arrived, started, finished, status, strict=True)
    ]
    assert judged(rows, Window(0.0, float(arrived[-1]))).verdict is Verdict.SATURATED


def test_a_prompt_without_room_in_prefill_replicas_is_no_sign_of_load():
    found = verdict(
        *mm1(0.5, 300), status=RequestStatus.REJECTED, num_prompt_tokens=4050, num_output_tokens=8
    )
    assert found.verdict is Verdict.STABLE


def test_a_prompt_too_long_is_no_sign_of_load():
    found = verdict(*mm1(0.5, 300), status=RequestStatus.REJECTED, num_prompt_tokens=5000)
    assert found.verdict is Verdict.STABLE
    assert found.reason == "100.0% of requests could never fit: longer than max_model_len or the KV cache"


def test_a_growing_crowd_that_is_served_as_fast_as_before_is_stable():
    arrived = 1000.0 * np.sqrt(np.linspace(0.001, 1.0, 5000))  # the rate rises in proportion to time
    assert verdict(arrived, arrived, arrived + 20.0).verdict is Verdict.STABLE


def test_all_requests_at_once_drain():
    arrived = np.zeros(100)
    arrived[-1] = 1e-9
    finished = np.linspace(1.0, 100.0, 100)
    rows = [{"arrived_at_s": a, "finished_at_s": f} for a, f in zip(arrived, finished, strict=True)]
    assert judged(rows, Window(0.0, 100.0)).verdict is Verdict.STABLE


def test_no_requests_are_stable():
    assert judged([], Window(0.0, 1.0)).verdict is Verdict.STABLE


def test_the_worst_replication_decides():
    verdicts = [
        Stability(Verdict.STABLE, "a"),
        Stability(Verdict.UNSTABLE, "b"),
        Stability(Verdict.SATURATED, "c"),
    ]
    assert worst(verdicts).reason == "b"


def whole_run(**options):
    given = scenario(**{f"serving__chat__{key}": value for key, value in options.items()}, duration="60 s")
    return run(given, num_processes=1).summary["serving"]["chat"]


def test_an_overloaded_engine_is_unstable_although_its_batch_has_free_slots():
    found = whole_run(
        kv_cache={"num_blocks": 600},
        traffic__arrivals={"policy": "poisson", "rate": "20 /s"},
        traffic__lengths={"policy": "fixed", "prompt": 400, "output": 400},
    )
    assert found["stability"]["verdict"] == "unstable"
    assert found["num_preemptions"] > 0
    assert found["batch_size"]["mean"] < 30


def test_outputs_that_grow_longer_at_a_light_load_are_stable(tmp_path):
    rng = np.random.default_rng(1)
    instants, lengths = np.cumsum(rng.exponential(0.2, 300)), np.linspace(50, 400, 300).astype(int)
    rows = [f"{at:.6f},500,{length}" for at, length in zip(instants, lengths, strict=True)]
    (tmp_path / "drift.csv").write_text(
        "\n".join(["arrived_at_s,num_prompt_tokens,num_output_tokens", *rows])
    )
    found = whole_run(traffic={"trace": str(tmp_path / "drift.csv")})
    assert found["stability"]["verdict"] == "stable"
    assert found["queue_wait_s"]["max"] < 0.1
