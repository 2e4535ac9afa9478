"""Series of the cluster against the tables they are of and the summary beside them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from dcsim.metrics.contract import declared_keys
from dcsim.metrics.figures import leaves
from dcsim.metrics.run_bins import run_bins
from dcsim.metrics.series.contract import SECTIONS
from dcsim.metrics.series.fabric import layer_of
from dcsim.metrics.series.training import MAX_SPANS, training_series
from dcsim.metrics.window import Window
from dcsim.result import Result
from dcsim.spec.training.deployment import resolve_training
from dcsim.study.run import run
from dcsim.tables import RunTables, Table
from dcsim.tables.training import TRAINING_JOBS, TRAINING_SPANS
from tests.study.scenarios_for_tests import small_cluster

SHARES = ("productive", "disturbed", "checkpoint", "lost", "recovery", "preparation", "queue")
NAMED = {"training": "NAME", "storage": "STORE"}


@pytest.fixture(scope="module")
def result() -> Result:
    return run(small_cluster(), num_processes=1)


@pytest.fixture(scope="module")
def pretrain(result):
    return result.series["training"]["pretrain"]


def integral(levels, name):
    return sum(levels[name]) * levels["bin_s"]


def test_the_keys_are_those_of_the_contract(result):
    found = set()
    for path, _ in leaves(dict(result.series)):
        found.add(".".join([path[0], NAMED[path[0]], *path[2:]] if path[0] in NAMED else path))
    declared = {path for path, _ in declared_keys(SECTIONS) if not path.startswith("serving.")}
    assert found == declared


def test_it_is_json_and_small(result):
    text = json.dumps(result.series, allow_nan=False)
    assert len(text) < 250_000


def test_the_bars_of_a_job_cover_its_time_without_gaps(result, pretrain):
    spans = pretrain["spans"]
    ends_s = np.add(spans["started_at_s"], spans["duration_s"])
    assert spans["started_at_s"][1:] == pytest.approx(ends_s[:-1])
    assert sum(spans["duration_s"]) == pytest.approx(result.summary["training"]["pretrain"]["wall_s"])


def test_shares_of_a_bin_add_up_to_all_of_it(pretrain):
    timeline = pretrain["timeline"]
    whole = np.sum([timeline[f"{name}_frac"] for name in SHARES], axis=0)
    assert whole == pytest.approx(np.ones(len(whole)), abs=1e-6)


def test_shares_over_the_run_are_those_of_the_summary(result, pretrain):
    summary, timeline = result.summary["training"]["pretrain"], pretrain["timeline"]
    assert integral(timeline, "productive_frac") == pytest.approx(summary["productive_s"])
    assert integral(timeline, "lost_frac") == pytest.approx(summary["lost_s"]["lost_work"], abs=1e-6)
    assert integral(timeline, "tokens_per_s") == pytest.approx(
        summary["num_steps"] * summary["tokens_per_step"]
    )


def test_the_waterfall_goes_from_the_wall_time_down_to_useful_steps(pretrain):
    waterfall = pretrain["waterfall"]
    assert waterfall["productive_s"] + sum(waterfall["part_s"]) == pytest.approx(waterfall["wall_s"])
    assert waterfall["part_s"] == sorted(waterfall["part_s"], reverse=True)


def made_spans(num_failures: int) -> RunTables:
    """A job that fails again and again: an hour of work, then a minute of detection."""
    kinds = ["productive", "detect"] * num_failures
    lengths_s = np.array([3600.0, 60.0] * num_failures)
    columns = {name: np.zeros(len(kinds), dtype=column.dtype) for name, column in TRAINING_SPANS.items()}
    columns |= {"kind": np.array(kinds, dtype=object), "duration_s": lengths_s}
    columns["job"] = np.array(["pretrain"] * len(kinds), dtype=object)
    columns["cause"] = np.array(["", "hbm"] * num_failures, dtype=object)
    columns["started_at_s"] = np.cumsum(lengths_s) - lengths_s
    job = {name: np.zeros(1, dtype=column.dtype) for name, column in TRAINING_JOBS.items()}
    job["job"] = np.array(["pretrain"], dtype=object)
    tables = {"training_spans": Table(columns), "training_jobs": Table(job)}
    return RunTables({}, tables, float(lengths_s.sum()))


@pytest.mark.parametrize("num_failures", [10, 200, 5_000])
def test_many_spans_are_drawn_as_few_bars_that_lose_no_time(num_failures):
    tables = made_spans(num_failures)
    window = Window(0.0, tables.ended_at_s)
    job = resolve_training(small_cluster(), "pretrain")
    found = training_series(job, [tables.cluster], [window], run_bins(tables, window))["spans"]
    assert len(found["kind"]) <= MAX_SPANS
    assert sum(found["num_spans"]) == 2 * num_failures
    assert sum(found["duration_s"]) == pytest.approx(tables.ended_at_s)
    useful_s = np.multiply(found["duration_s"], found["productive_frac"]).sum()
    assert useful_s == pytest.approx(3600.0 * num_failures)
    assert "hbm" in found["cause"]


def test_the_pool_over_time_is_the_use_of_the_summary(result):
    timeline, summary = result.series["jobs"]["timeline"], result.summary["jobs"]
    assert integral(timeline, "num_used") / 3600.0 == pytest.approx(summary["accelerator_h"])
    used, free = integral(timeline, "num_used"), integral(timeline, "num_free")
    assert used / (used + free) == pytest.approx(summary["utilization_frac"])


def test_jobs_are_counted_in_every_grouping(result):
    jobs, summary = result.series["jobs"], result.summary["jobs"]
    num_finished = summary["num_finished"]
    assert sum(jobs["by_size"]["num_finished"]) == num_finished
    assert sum(jobs["by_queue"]["num_finished"]) == num_finished
    histogram = jobs["completion_s"]["histogram"]
    assert sum(histogram["counts"]) + histogram["num_zero"] == num_finished
    quantiles = dict(zip(result.series["probabilities"], jobs["completion_s"]["quantiles"], strict=True))
    assert quantiles[0.5] == pytest.approx(summary["completion_s"]["p50"])
    num_unfinished = summary["num_unfinished"] + summary["num_abandoned"]
    assert jobs["completion_s"]["num_beyond"] == num_unfinished > 0
    assert quantiles[1.0] is None


def test_failures_over_time_are_those_of_the_summary(result):
    timeline, summary = result.series["failures"]["timeline"], result.summary["failures"]
    assert sum(timeline["num_stops"]) == summary["num_stops"] > 0
    duration_s = result.summary["energy"]["duration_s"]
    assert integral(timeline, "num_nodes_away") / duration_s == pytest.approx(summary["num_nodes_away"])


def test_the_bytes_of_layers_are_those_of_the_links(result):
    fabric, summary = result.series["fabric"], result.summary["fabric"]
    assert sum(fabric["layers"]["num_bytes"]) == pytest.approx(summary["carried_bytes"])
    assert max(fabric["layers"]["peak_utilization_frac"]) == pytest.approx(summary["peak_utilization_frac"])
    timeline = fabric["timeline"]
    for name, width, carried in zip(
        timeline["layers"]["layer"],
        fabric["layers"]["bytes_per_s"],
        fabric["layers"]["num_bytes"],
        strict=True,
    ):
        use = timeline["layers"]["utilization_frac"][timeline["layers"]["layer"].index(name)]
        assert sum(use) * timeline["bin_s"] * width == pytest.approx(carried)


def test_links_of_the_picture_join_its_vertices(result):
    links = result.series["fabric"]["links"]
    names = set(links["vertices"]["name"])
    assert set(links["source"]) | set(links["destination"]) == names
    assert {"node", "leaf", "store", "store port"} <= set(links["vertices"]["layer"])
    assert links["num_left_out"] == 0


def test_bytes_written_over_time_are_those_of_the_summary(result):
    timeline = result.series["storage"]["fast"]["timeline"]
    summary = result.summary["storage"]["fast"]
    assert integral(timeline, "write_bytes_per_s") == pytest.approx(summary["written_bytes"])


def test_the_power_of_the_cluster_holds_training_and_jobs(result):
    assert integral(result.series["power"], "it_w") == pytest.approx(result.summary["energy"]["it_j"])


def test_layers_are_the_names_of_vertices_without_numbers():
    names = ("node 12", "leaf 3.7", "core 0.1", "router 4.2", "tor-17", "A", "12")
    assert [layer_of(name) for name in names] == ["node", "leaf", "core", "router", "tor", "A", "12"]
