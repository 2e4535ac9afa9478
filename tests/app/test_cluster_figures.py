"""Figures of the cluster say what the numbers say: parts add up, bars stand where things happened."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("plotly", reason="the extra dashboard is not installed")

import itertools

import dcsim
from dcsim import Result
from dcsim.app.figures.counts import counts_figure, shares_figure
from dcsim.app.figures.gantt import holders_gantt, jobs_gantt, nodes_gantt, training_gantt
from dcsim.app.figures.goodput import goodput_figure, lost_parts
from dcsim.app.figures.jobs import sizes_figure, times_figure
from dcsim.app.figures.over_time import areas_figure, time_axis
from dcsim.app.figures.topology import topology_figure
from dcsim.app.html_report import html_report
from dcsim.app.parts import training_parts
from dcsim.app.series import end_s, part_series, probabilities
from dcsim.app.words import Words
from tests.app.cluster_runs import cluster_text

WORDS = Words("en")


@pytest.fixture(scope="module")
def result() -> Result:
    return dcsim.run(dcsim.load(cluster_text()))


def test_the_goodput_waterfall_falls_from_all_to_what_counts(result: Result) -> None:
    waterfall = part_series(result, "training")["tune"]["waterfall"]
    figure = goodput_figure(waterfall, WORDS)
    assert figure is not None
    whole, *lost, good = figure.data[0].y
    assert whole + sum(lost) == pytest.approx(good, rel=1e-6)
    assert sum(lost_parts(waterfall, WORDS).values()) == pytest.approx(
        waterfall["wall_s"] - waterfall["productive_s"], rel=1e-6
    )


def test_nothing_is_drawn_of_a_job_that_had_no_time() -> None:
    assert goodput_figure({"wall_s": 0.0, "productive_s": 0.0, "part": [], "part_s": []}, WORDS) is None


def test_time_per_token_adds_up_by_cause(result: Result) -> None:
    number = result.training.number
    tokens = (number("tune.num_steps") or 0.0) * (number("tune.tokens_per_step") or 0.0)
    parts = training_parts(result, WORDS)
    assert sum(parts.values()) == pytest.approx((number("tune.wall_s") or 0.0) / tokens * 1e6, rel=1e-6)


def test_spans_follow_one_another_in_the_gantt_chart(result: Result) -> None:
    spans = part_series(result, "training")["tune"]["spans"]
    figure = training_gantt(spans, end_s(result), WORDS)
    bars = sorted(
        (start, length) for trace in figure.data for start, length in zip(trace.base, trace.x, strict=True)
    )
    for (start, length), (following, _) in itertools.pairwise(bars):
        assert start + length == pytest.approx(following, rel=1e-6)


def test_jobs_wait_before_they_run(result: Result) -> None:
    sample = part_series(result, "jobs")["sample"]
    figure = jobs_gantt(sample, end_s(result), WORDS)
    assert {row for trace in figure.data for row in trace.y} <= {str(job) for job in sample["job"]}
    assert all(length >= 0 for trace in figure.data for length in trace.x)


def test_every_holding_of_a_node_is_a_bar_of_its_kind(result: Result) -> None:
    nodes = part_series(result, "cluster")["nodes"]
    figure = holders_gantt(nodes, end_s(result), WORDS)
    assert sum(len(trace.y) for trace in figure.data) == len(nodes["node"])
    assert {row for trace in figure.data for row in trace.y} == {f"node {node}" for node in nodes["node"]}
    names = {"training": "training", "job": "scheduled job", "spare": "spare", "down": "down"}
    assert {trace.name for trace in figure.data} == {names[kind] for kind in nodes["kind"]}


def test_nodes_are_away_as_long_as_the_log_says(result: Result) -> None:
    log = part_series(result, "failures")["log"]
    figure = nodes_gantt(log, end_s(result), WORDS)
    hit = {f"node {node}" for node in log["node"] if node >= 0}
    assert figure is not None
    assert {row for trace in figure.data for row in trace.y} == hit


def test_a_log_without_nodes_draws_none() -> None:
    keys = ("node", "effect", "cause", "failed_at_s", "repaired_at_s")
    assert nodes_gantt({key: [] for key in keys}, 1.0, WORDS) is None


def test_the_picture_has_every_vertex_once(result: Result) -> None:
    links = part_series(result, "fabric")["links"]
    figure = topology_figure(links, "mean_utilization_frac", WORDS)
    assert figure is not None
    drawn = [
        name
        for trace in figure.data
        if "markers" in trace.mode and trace.showlegend is None
        for name in trace.customdata
    ]
    assert sorted(drawn) == sorted(links["vertices"]["name"])


def test_a_torus_is_drawn_as_a_ring() -> None:
    names = [f"node {number}" for number in range(8)]
    links = {
        "vertices": {"name": names, "layer": ["node"] * 8},
        "source": names,
        "destination": [*names[1:], names[0]],
        "mean_utilization_frac": [0.5] * 8,
    }
    figure = topology_figure(links, "mean_utilization_frac", WORDS)
    assert figure is not None
    (nodes,) = [trace for trace in figure.data if trace.mode == "markers+text"]
    assert [x * x + y * y for x, y in zip(nodes.x, nodes.y, strict=True)] == pytest.approx([1.0] * 8)


def test_a_picture_that_is_too_large_is_none() -> None:
    assert topology_figure({"vertices": {"name": [], "layer": []}}, "mean_utilization_frac", WORDS) is None


def test_the_pool_adds_up_to_its_accelerators(result: Result) -> None:
    timeline = part_series(result, "jobs")["timeline"]
    keys = ("num_used", "num_free", "num_away")
    figure = areas_figure(timeline, {key: timeline[key] for key in keys}, "", WORDS)
    assert {trace.stackgroup for trace in figure.data} == {"whole"}
    totals = [sum(values) for values in zip(*(trace.y for trace in figure.data), strict=True)]
    assert max(totals) == pytest.approx(12 * 8)


def test_shares_of_jobs_never_fall(result: Result) -> None:
    for curve in times_figure(part_series(result, "jobs"), probabilities(result), WORDS).data:
        assert list(curve.x) == sorted(curve.x)
    by_size = part_series(result, "jobs")["by_size"]
    assert len(sizes_figure(by_size, WORDS).data[0].x) == len(by_size["max_accelerators"])


@pytest.mark.parametrize(("length_s", "unit"), [(600.0, "minutes"), (20_000.0, "hours"), (1e6, "days")])
def test_the_axis_of_time_fits_the_run(length_s: float, unit: str) -> None:
    assert time_axis(length_s, WORDS)[1] == unit


def test_bars_stand_in_the_order_of_their_size() -> None:
    assert list(counts_figure({"a": 1.0, "b": 3.0, "c": 2.0}, "").data[0].y) == ["b", "c", "a"]
    assert [trace.name for trace in shares_figure({"x": {"mean": 0.1, "peak": None}}, "").data] == [
        "mean",
        "peak",
    ]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_report_to_send_has_the_cluster_too(result: Result, language: str) -> None:
    words = Words(language)
    page = html_report([result], words)
    for key in ("training.productive_frac", "training.goodput", "jobs.pool", "failures.by_cause"):
        assert words(key) in page or json.dumps(words(key)).strip('"') in page  # as plotly writes it
