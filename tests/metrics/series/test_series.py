"""Series against the tables they are of and the summary beside them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from dcsim.metrics.contract import declared_keys
from dcsim.metrics.figures import leaves
from dcsim.metrics.latency import QUANTILES
from dcsim.metrics.series.contract import SECTIONS
from dcsim.metrics.series.contract_cluster import CLUSTER_SECTIONS
from dcsim.metrics.series.run_series import PROBABILITIES, SCHEMA, run_series
from dcsim.result import Result
from dcsim.study.run import run
from dcsim.tables import RequestStatus, RunTables
from tests.metrics.by_hand import requests, scenario, served, serving_tables, steps
from tests.study.scenarios_for_tests import tiny

LATENCIES = ("ttft_s", "tpot_s", "e2e_s", "queue_wait_s")
BUSY: dict[str, object] = {
    "duration": "40 s",
    "warmup": "7 s",
    "serving.chat.num_replicas": 2,
    "serving.chat.traffic.arrivals": {"policy": "poisson", "rate": "60 /s"},
    "serving.chat.traffic.lengths": {"policy": "lognormal", "prompt_mean": 500, "output_mean": 60, "cv": 1},
}
MAX_BYTES = 300_000


@pytest.fixture(scope="module")
def once() -> Result:
    return run(tiny(**BUSY), num_processes=1)


@pytest.fixture(scope="module")
def twice() -> Result:
    return run(tiny(replications=2, **BUSY), num_processes=1)


@pytest.fixture(scope="module")
def chat(once):
    return once.series["serving"]["chat"]


@pytest.fixture(scope="module")
def summary(once):
    return once.summary["serving"]["chat"]


def integral(levels, name):
    return sum(levels[name]) * levels["bin_s"]


def test_the_keys_are_those_of_the_contract(once):
    paths = [path for path, _ in leaves(dict(once.series))]
    found = [".".join(["serving", "NAME", *path[2:]] if path[0] == "serving" else path) for path in paths]
    beside_serving = {title: one for title, one in SECTIONS.items() if title not in CLUSTER_SECTIONS}
    declared = [path for path, _ in declared_keys(beside_serving)]
    assert sorted(found) == sorted(declared)
    assert once.series["schema"] == SCHEMA


def test_histograms_count_every_measured_request(twice):
    series = twice.series["serving"]["chat"]
    frame = twice.tables.requests
    measured = frame[(frame.arrived_at_s >= 7.0) & (frame.arrived_at_s <= 40.0)]
    num_finished = int((measured.status == RequestStatus.FINISHED).sum())
    assert num_finished == len(measured)
    for latency in ("ttft_s", "e2e_s", "queue_wait_s"):
        histogram = series["latency"][latency]["histogram"]
        assert sum(histogram["counts"]) + histogram["num_zero"] == num_finished
    for lengths in series["lengths"].values():
        assert sum(lengths["counts"]) == len(measured)


def test_quantiles_are_the_percentiles_of_the_summary(once, chat, summary):
    assert once.series["probabilities"] == list(PROBABILITIES)
    for latency in (*LATENCIES, "itl_s"):
        quantiles = dict(zip(PROBABILITIES, chat["latency"][latency]["quantiles"], strict=True))
        for name, probability in QUANTILES.items():
            assert quantiles[probability] == pytest.approx(summary[latency][name], rel=1e-9)
        assert quantiles[1.0] == pytest.approx(summary[latency]["max"], rel=2e-3)


def test_quantiles_pool_the_requests_of_all_replications(twice):
    frame = twice.tables.requests
    measured = frame[(frame.arrived_at_s >= 7.0) & (frame.arrived_at_s <= 40.0)]
    expected = np.quantile(measured.finished_at_s - measured.arrived_at_s, PROBABILITIES)
    assert twice.series["serving"]["chat"]["latency"]["e2e_s"]["quantiles"] == pytest.approx(expected)


def test_quantiles_among_those_that_never_got_so_far_are_unknown():
    lost = {"arrived_at_s": 1.0, "status": RequestStatus.TIMED_OUT}
    rejected = {**lost, "status": RequestStatus.REJECTED}
    tables = serving_tables(requests(*[served(0.0) for _ in range(19)], lost, rejected), steps())
    found = run_series(scenario(), [RunTables({"chat": tables})])["serving"]["chat"]["latency"]["e2e_s"]
    by_probability = dict(zip(PROBABILITIES, found["quantiles"], strict=True))
    assert by_probability[0.9] == 5.0
    assert by_probability[0.99] is None
    assert found["num_beyond"] == 1
    assert sum(found["histogram"]["counts"]) == 19


def test_the_timeline_holds_every_request_and_every_token(once, chat):
    table = once.tables.replications[0]["chat"].requests
    timeline = chat["timeline"]
    assert integral(timeline, "offered_requests_per_s") == pytest.approx(len(table), rel=1e-9)
    assert integral(timeline, "finished_requests_per_s") == pytest.approx(len(table), rel=1e-9)
    assert integral(timeline, "output_tokens_per_s") == pytest.approx(table["num_output_tokens"].sum())
    assert integral(timeline, "computed_prompt_tokens_per_s") == pytest.approx(
        table["num_prompt_tokens"].sum()
    )


def test_running_and_waiting_add_up_to_the_time_between_arrival_and_finish(once, chat):
    """Little's law over the whole run; there is no pause between the steps of a busy engine."""
    table = once.tables.replications[0]["chat"].requests
    waited_s, ran_s = (integral(chat["timeline"], name) for name in ("num_waiting", "num_running"))
    overhead_s = once.summary["serving"]["chat"]["explain"]["mean"]["front_end_s"]
    queued_s = table["scheduled_at_s"] - table["arrived_at_s"] - overhead_s
    assert waited_s == pytest.approx(queued_s.sum(), rel=1e-6)
    assert ran_s == pytest.approx((table["finished_at_s"] - table["scheduled_at_s"]).sum(), rel=0.02)


def within(chat, levels, name):
    """The values of the bins that make up the measured window."""
    edges_s = np.array(levels["started_at_s"])
    window = chat["window"]
    inside = (edges_s > window["started_at_s"] - 1e-6) & (edges_s < window["ended_at_s"] - 1e-6)
    return np.array(levels[name])[inside]


def test_power_over_the_window_is_its_energy(once, chat):
    power = once.series["power"]
    it_j = within(chat, power, "it_w").sum() * power["bin_s"]
    assert it_j == pytest.approx(once.summary["energy"]["it_j"], rel=1e-9)
    assert power["started_at_s"] == chat["timeline"]["started_at_s"]


@pytest.mark.parametrize(
    ("name", "of_summary"),
    [
        ("utilization_frac", "utilization_frac"),
        ("kv_occupancy_frac", "kv_occupancy_frac"),
        ("accelerator_w", "accelerator_power_w"),
        ("output_tokens_per_s", "output_tokens_per_s"),
        ("computed_prompt_tokens_per_s", "computed_prompt_tokens_per_s"),
        ("offered_requests_per_s", "offered_requests_per_s"),
        ("finished_requests_per_s", "requests_per_s"),
    ],
)
def test_the_mean_of_a_timeline_over_the_window_is_the_number_of_the_summary(chat, summary, name, of_summary):
    assert within(chat, chat["timeline"], name).mean() == pytest.approx(summary[of_summary], rel=1e-9)


def test_percentiles_of_ttft_in_a_bin_are_those_of_the_requests_that_arrived_in_it():
    rows = [served(4.0 + at / 1000, ttft=1.0 + at) for at in range(21)]
    tables = serving_tables(requests(served(0.0), *rows), steps())
    timeline = run_series(scenario(), [RunTables({"chat": tables})])["serving"]["chat"]["timeline"]
    found = {name: [one for one in values if one is not None] for name, values in timeline["ttft_s"].items()}
    assert found == {"p50": [11.0], "p99": [pytest.approx(20.8)]}


def test_replicas_add_up_to_the_summary(chat, summary):
    replicas, window = chat["replicas"], chat["window"]
    duration_s = window["ended_at_s"] - window["started_at_s"]
    assert sum(replicas["num_finished"]) == pytest.approx(summary["requests_per_s"] * duration_s)
    assert sum(replicas["num_output_tokens"]) == pytest.approx(summary["output_tokens_per_s"] * duration_s)
    assert np.mean(replicas["utilization_frac"]) == pytest.approx(summary["utilization_frac"])


def test_the_worst_of_all_replications_come_in_order(twice):
    frame = twice.tables.requests
    e2e_s = (frame.finished_at_s - frame.arrived_at_s)[(frame.arrived_at_s >= 7.0)]
    worst = twice.series["serving"]["chat"]["worst"]["e2e_s"]
    assert worst["e2e_s"] == pytest.approx(sorted(e2e_s, reverse=True)[:20])
    assert set(worst["replication"]) == {0, 1}


def test_a_long_run_takes_no_more_room_than_a_short_one(once):
    long = run(tiny(**{**BUSY, "duration": "400 s"}), num_processes=1)
    assert len(long.series_text()) < 1.3 * len(once.series_text())
    assert len(long.series_text()) < MAX_BYTES


def test_two_workloads_share_the_bins(once):
    one = once.scenario.document["serving"]["chat"]
    found = run(tiny(**BUSY, **{"serving.code": one}), num_processes=1).series
    assert found["serving"]["code"]["timeline"]["started_at_s"] == found["power"]["started_at_s"]
    tokens = [workload["timeline"]["output_tokens_per_s"] for workload in found["serving"].values()]
    assert np.sum(tokens, axis=0).tolist() == pytest.approx(found["power"]["output_tokens_per_s"])


def test_a_run_in_which_nothing_is_served_has_series_all_the_same():
    rejected = {"arrived_at_s": 0.0, "status": RequestStatus.REJECTED, "replica": -1, "engine": -1}
    given = scenario(duration=None, serving__chat__traffic__num_requests=1)
    tables = serving_tables(requests(rejected), steps(), ended_at_s=0.0)
    found = run_series(given, [RunTables({"chat": tables})])
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert sum(found["serving"]["chat"]["replicas"]["num_finished"]) == 0
