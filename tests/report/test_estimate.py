import io

import pytest
from rich.console import Console

from dcsim.errors import ScenarioError
from dcsim.report.estimate import estimate_document, show_estimate
from tests.study.scenarios_for_tests import small_cluster, tiny


def shown(**overrides: object) -> str:
    out, scenario = io.StringIO(), tiny(**overrides)
    show_estimate(Console(file=out, width=100), scenario)
    return out.getvalue()


def test_the_load_stands_first_and_every_unit_is_named():
    lines = shown().splitlines()
    assert lines[0] == "tiny"
    assert lines[1].startswith("chat: ")
    assert "% of capacity" in lines[1]
    for word in ("TTFT", "ms", "KV cache", "GB", "per M output tokens", "USD", "without a simulation"):
        assert word in "\n".join(lines)


def test_an_overloaded_workload_has_no_latencies():
    text = shown(serving__chat__traffic__arrivals__rate="5000 /s")
    assert "OVERLOADED" in text
    assert "TTFT" not in text


def test_a_burst_has_no_load():
    assert "at once" in shown(serving__chat__traffic__arrivals={"policy": "burst", "num_requests": 9})


def test_without_prices_there_is_no_table_of_cost():
    assert "USD" not in shown(economics=None)


def test_a_training_job_is_told_by_its_pace_its_step_and_its_memory():
    out = io.StringIO()
    show_estimate(Console(file=out, width=100), small_cluster())
    text = out.getvalue()
    for word in ("pretrain: ", "MFU", "compute", "data-parallel comm.", "activations", "free", "USD"):
        assert word in text
    assert "TTFT" not in text


def test_a_step_that_a_slow_store_stretches_is_not_laid_to_the_links_alone():
    out = io.StringIO()
    slow = {
        "training.pretrain.dataset": {"store": "fast", "bytes_per_sample": "100 GB"},
        "cluster.fabric": None,
    }
    show_estimate(Console(file=out, width=100), small_cluster().replace(slow))
    assert "input data" in out.getvalue()
    assert "no full links or slow stores" in out.getvalue()


def test_the_parts_of_a_step_add_up_in_the_document():
    (job,) = estimate_document(small_cluster())["training"].values()
    parts = [value for name, value in job["step"].items() if name != "total_s"]
    assert sum(parts) == pytest.approx(job["step"]["total_s"]) == pytest.approx(job["step_s"])


def test_serving_and_training_are_estimated_together():
    document = estimate_document(small_cluster(serving=tiny().document["serving"], cluster__num_nodes=12))
    assert {"serving", "training", "it_w"} <= document.keys()


def test_jobs_alone_have_no_estimate():
    with pytest.raises(ScenarioError, match="neither serving nor training"):
        estimate_document(small_cluster(training={}))
