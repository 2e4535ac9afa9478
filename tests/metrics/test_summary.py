import json
import math
import statistics

import numpy as np
import pytest

from dcsim.metrics.figures import leaves
from dcsim.metrics.summary import SCHEMA, summarize
from dcsim.tables import RunTables
from tests.metrics.by_hand import requests, scenario, served, serving_tables, steps

PERCENTILES = ("mean", "p50", "p90", "p95", "p99", "max")
BUSY = {"started_at_s": 0.0, "duration_s": 10.0, "num_steps": 100, "num_decodes": 4}


def replication(*ttfts_s, busy_s=10.0):
    rows = [served(float(index) / len(ttfts_s), ttft=ttft_s) for index, ttft_s in enumerate(ttfts_s)]
    return RunTables({"chat": serving_tables(requests(*rows), steps({**BUSY, "duration_s": busy_s}))})


def overloaded(num=3000):
    arrived = np.linspace(0.0, 10.0, num)
    rows = [served(at, wait=at, ttft=at + 0.1, e2e=at + 0.2) for at in arrived]
    return RunTables({"chat": serving_tables(requests(*rows), steps(BUSY), ended_at_s=30.0)})


def test_the_document_has_the_keys_of_the_contract():
    document = summarize(scenario(), [replication(1.0, 2.0)]).document()
    chat = document["serving"]["chat"]
    assert document["schema"] == SCHEMA == "dcsim/summary/1"
    for latency in ("ttft_s", "tpot_s", "itl_s", "e2e_s", "queue_wait_s"):
        assert tuple(chat[latency]) == PERCENTILES
    rates = {
        "requests_per_s",
        "output_tokens_per_s",
        "goodput_requests_per_s",
        "slo_attainment_frac",
        "is_slo_met",
    }
    counts = {f"num_{what}" for what in ("requests", "rejected", "timed_out", "unfinished", "preemptions")}
    shares = {f"{what}_frac" for what in ("utilization", "kv_occupancy", "mfu", "memory_bandwidth")}
    named = rates | counts | shares | {"batch_size", "stability", "explain"}
    assert named <= set(chat)
    assert set(chat["explain"]) == {"mean", "p99_ttft", "p99_e2e"}
    assert {"energy", "carbon", "cost", "intervals", "interval_method"} <= set(document)


@pytest.mark.parametrize("tables", [replication(), replication(1.0), overloaded(300)])
def test_the_document_is_plain_json(tables):
    given = scenario(facility={"site": "germany"}, economics={"prices": "owned-2026"})
    document = summarize(given, [tables]).document()
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert {type(value) for _, value in leaves(document)} <= {float, int, str, bool, list, type(None)}


def test_figures_are_means_over_replications_with_t_intervals():
    means_s = [1.0, 2.0, 6.0]
    found = summarize(scenario(), [replication(mean_s) for mean_s in means_s])
    width = 4.302653 * statistics.stdev(means_s) / math.sqrt(3)
    assert found.values["interval_method"] == "replications"
    assert found.values["serving"]["chat"]["ttft_s"]["p99"] == pytest.approx(3.0)
    assert found.intervals["serving"]["chat"]["ttft_s"]["p99"] == pytest.approx(width, rel=1e-5)
    assert found.intervals["energy"]["it_j"] == pytest.approx(0.0, abs=1e-6)


def test_a_figure_that_one_replication_lacks_is_none_and_has_no_interval():
    found = summarize(scenario(), [replication(1.0), replication()])
    assert found.values["serving"]["chat"]["ttft_s"]["mean"] is None
    assert "ttft_s" not in found.intervals["serving"]["chat"]


def test_every_number_stands_beside_its_values_in_each_replication():
    found = summarize(scenario(), [replication(mean_s) for mean_s in (1.0, 2.0, 6.0)]).document()
    assert found["by_replication"]["serving"]["chat"]["ttft_s"]["p99"] == [1.0, 2.0, 6.0]
    means = {path: value for path, value in leaves(found) if path[0] in ("serving", "energy")}
    numbers = {path: value for path, value in means.items() if type(value) in (int, float)}
    for path, values in leaves(found["by_replication"]):
        assert path in numbers
        assert numbers[path] == pytest.approx(statistics.mean(values))
    left_out = {path for path in numbers if path not in dict(leaves(found["by_replication"]))}
    assert {path[2] for path in left_out if path[1] != "timeline"} == {"explain", "window"}


def test_one_replication_and_equal_ones_have_no_values_of_each():
    for replications in ([replication(1.0)], [replication(1.0)] * 3):
        assert "by_replication" not in summarize(scenario(), replications).document()


def test_what_one_replication_lacks_is_none_in_its_place():
    found = summarize(scenario(), [replication(1.0), replication()]).by_replication
    assert found["serving"]["chat"]["ttft_s"]["mean"] == [1.0, None]


def test_one_replication_gets_batch_means_of_its_twenty_batches():
    rng = np.random.default_rng(1)
    arrived = np.sort(rng.uniform(0.0, 10.0, 4000))
    ttft_s = rng.exponential(1.0, 4000)
    rows = [served(at, ttft=ttft) for at, ttft in zip(arrived, ttft_s, strict=True)]
    found = summarize(scenario(), [RunTables({"chat": serving_tables(requests(*rows), steps(BUSY))})])
    width = found.intervals["serving"]["chat"]["ttft_s"]["mean"]
    batch_means = [ttft_s[(arrived >= t) & (arrived < t + 0.5)].mean() for t in np.arange(0.0, 10.0, 0.5)]
    assert found.values["interval_method"] == "batch_means"
    assert width == pytest.approx(2.093024 * statistics.stdev(batch_means) / math.sqrt(20), rel=1e-5)
    assert abs(found.values["serving"]["chat"]["ttft_s"]["mean"] - 1.0) < 2 * width
    assert "it_j" not in found.intervals["energy"]  # a batch holds a twentieth of a total


def test_equal_replications_are_one_sample_not_certainty():
    rng = np.random.default_rng(1)
    rows = [served(at, ttft=rng.exponential(1.0)) for at in np.linspace(0.0, 9.99, 4000)]
    one = RunTables({"chat": serving_tables(requests(*rows), steps(BUSY))})
    alone, thrice = summarize(scenario(), [one]), summarize(scenario(), [one, one, one])
    assert thrice.values["interval_method"] == "batch_means"
    assert thrice.intervals == alone.intervals
    assert thrice.intervals["serving"]["chat"]["ttft_s"]["mean"] > 0


def test_too_few_requests_have_no_intervals():
    found = summarize(scenario(), [replication(1.0, 2.0, 3.0)])
    assert found.values["interval_method"] == "none"
    assert found.intervals == {}


def test_an_unstable_run_withholds_its_latencies_and_keeps_what_was_observed():
    found = summarize(scenario(), [overloaded()])
    chat = found.values["serving"]["chat"]
    assert chat["stability"]["verdict"] == "unstable"
    assert set(chat["ttft_s"].values()) == {None}
    assert chat["observed"]["ttft_s"]["p50"] == pytest.approx(5.1, rel=0.01)
    assert "no steady state" in chat["note"]
    assert "ttft_s" not in found.intervals["serving"]["chat"]
    assert "requests_per_s" in found.intervals["serving"]["chat"]


def test_an_unstable_run_withholds_the_latencies_of_every_replication():
    chat = summarize(scenario(), [overloaded(), overloaded(3100)]).by_replication["serving"]["chat"]
    for latency in ("ttft_s", "tpot_s", "itl_s", "e2e_s", "queue_wait_s"):
        assert all(values == [None, None] for values in chat[latency].values())
    assert None not in chat["requests_per_s"]
    assert "observed" not in chat


def test_a_stable_run_has_no_note():
    chat = summarize(scenario(), [replication(1.0)]).values["serving"]["chat"]
    assert chat["stability"]["verdict"] == "stable"
    assert "observed" not in chat
    assert "note" not in chat


def test_occupancy_and_rates_are_over_the_whole_window():
    chat = summarize(scenario(), [replication(1.0, busy_s=5.0)]).values["serving"]["chat"]
    assert chat["utilization_frac"] == pytest.approx(0.5)
    assert chat["output_tokens_per_s"] == pytest.approx(40.0)
    assert chat["batch_size"]["mean"] == pytest.approx(4.0)
    assert chat["requests_per_s"] == pytest.approx(0.1)


def test_two_workloads_share_the_cluster_and_its_cost():
    one = scenario().document["serving"]["chat"]
    given = scenario(serving={"chat": one, "code": one}, economics={"prices": "on-demand-2026"})
    tables = RunTables({**replication(1.0), "code": replication(1.0)["chat"]})
    found = summarize(given, [tables]).values
    alone = summarize(scenario(economics={"prices": "on-demand-2026"}), [replication(1.0)]).values
    assert found["cost"]["total_usd"] == pytest.approx(alone["cost"]["total_usd"])
    assert found["energy"]["idle_j"] == pytest.approx(alone["energy"]["idle_j"])
    rises_j = [values["energy"]["it_j"] - values["energy"]["idle_j"] for values in (found, alone)]
    assert rises_j[0] == pytest.approx(2 * rises_j[1])


def test_the_cached_share_is_of_the_prompts_first_scheduled_in_the_window():
    rows = [
        served(0.0, num_prompt_tokens=100, num_cached_tokens=0),
        served(1.0, wait=1.0, num_prompt_tokens=300, num_cached_tokens=240),
        served(9.0, wait=2.0, num_prompt_tokens=100, num_cached_tokens=100),  # after the window
        {"arrived_at_s": 9.5, "num_prompt_tokens": 100},
    ]
    rows[0]["scheduled_at_s"] = 0.5
    tables = serving_tables(requests(*rows), steps(BUSY))
    chat = summarize(scenario(), [RunTables({"chat": tables})]).values["serving"]["chat"]
    assert chat["cached_prompt_tokens_frac"] == pytest.approx(240 / 400)
