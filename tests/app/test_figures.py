"""Figures say what the numbers say: parts add up, curves rise, intervals are drawn."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("plotly", reason="the extra dashboard is not installed")

import dcsim
from dcsim import Comparison, Result
from dcsim.app.figures.cluster import Placement, cluster_figure, num_hidden
from dcsim.app.figures.comparison import parts_figure, small_figure, trade_off_figure
from dcsim.app.figures.explain import waterfall_figure
from dcsim.app.figures.latency import LATENCIES, distribution_figure, lengths_figure, quantile_figure
from dcsim.app.figures.shares import stacked_figure
from dcsim.app.figures.timeline import PANELS, power_figure, timeline_figure
from dcsim.app.html_report import html_report
from dcsim.app.parts import cost_parts, energy_parts
from dcsim.app.series import power_series, probabilities, workload_series
from dcsim.app.words import Words
from tests.app.runs import scenario_text

WORDS = Words("en")


@pytest.fixture(scope="module")
def results() -> list[Result]:
    kinds = ("h100", "b200")
    return [dcsim.run(dcsim.load(scenario_text(f"chat-{kind}", f"dgx-{kind}"))) for kind in kinds]


@pytest.fixture(scope="module")
def comparison(results: list[Result]) -> Comparison:
    return dcsim.compare(results)


def test_the_waterfall_adds_up_to_the_whole(results: list[Result]) -> None:
    group = results[0].view.find("serving.chat.explain.mean")
    assert isinstance(group, dcsim.SummaryView)
    (trace,) = waterfall_figure(group, WORDS).data
    *parts, whole = trace.y
    assert sum(parts) == pytest.approx(whole, rel=1e-9)
    assert whole == pytest.approx(group.number("total_s") * 1e3)  # type: ignore[operator]


@pytest.mark.parametrize("latency", [one for one in LATENCIES if one != "itl_s"])
def test_a_histogram_counts_every_request(results: list[Result], latency: str) -> None:
    series = workload_series(results[0])["chat"]
    figure = distribution_figure(series, latency, None, WORDS)
    if not figure.data:
        assert latency == "queue_wait_s"  # nobody waited
        return
    counts = figure.data[0].y[::2]
    histogram = series["latency"][latency]["histogram"]
    assert sum(counts) == sum(histogram["counts"])


def test_a_limit_and_its_label_stand_at_the_same_time(results: list[Result]) -> None:
    series = workload_series(results[0])["chat"]
    figure = distribution_figure(series, "tpot_s", 0.05, WORDS)
    (line,), (label,) = figure.layout.shapes, figure.layout.annotations
    assert line.x0 == pytest.approx(50.0)  # ms
    assert 10.0**label.x == pytest.approx(50.0)  # plotly reads a label's place on such an axis as a power


def test_the_share_served_never_falls(results: list[Result]) -> None:
    series = {"h100": workload_series(results[0])["chat"]}
    (curve,) = quantile_figure(series, probabilities(results[0]), "e2e_s", 1.0, WORDS).data
    assert list(curve.x) == sorted(curve.x)
    assert list(curve.y) == sorted(curve.y)


def test_every_panel_draws_its_columns(results: list[Result]) -> None:
    for panel in PANELS:
        figure = timeline_figure(workload_series(results[0])["chat"], panel, WORDS)
        assert len(figure.data) == len(panel.columns)
        assert all(len(trace.x) == len(trace.y) > 0 for trace in figure.data)


def test_power_is_drawn_in_kilowatts(results: list[Result]) -> None:
    (trace,) = power_figure(power_series(results[0]), WORDS).data
    assert max(trace.y) == pytest.approx(max(results[0].series["power"]["it_w"]) / 1e3)  # type: ignore[index]


def test_energy_and_cost_parts_add_up(results: list[Result]) -> None:
    number = results[0].view.number
    energy, cost = energy_parts(results[0], WORDS), cost_parts(results[0], WORDS)
    assert sum(energy.values()) * 3.6e6 == pytest.approx(number("energy.facility_j"))
    assert sum(cost.values()) == pytest.approx(number("cost.total_usd"))


def test_memory_parts_stand_end_to_end() -> None:
    figure = stacked_figure({"weights": 30.0, "KV cache": 40.0}, "GiB", capacity=80.0, capacity_label="all")
    assert [trace.x[0] for trace in figure.data if trace.type == "bar"] == [30.0, 40.0]
    assert figure.layout.barmode == "stack"


@pytest.mark.parametrize(("num_nodes", "hidden"), [(1, 0), (24, 0), (1_000, 976)])
def test_a_cluster_draws_its_chips_up_to_a_limit(num_nodes: int, hidden: int) -> None:
    placement = Placement(num_nodes, 8, (("chat", 3, 2),))
    figure = cluster_figure(placement, "node", "InfiniBand", WORDS)
    shown = num_nodes - hidden
    assert num_hidden(placement) == hidden
    assert len(figure.layout.shapes) == 1 + min(shown, 6) + shown * 9


def test_accelerators_belong_to_the_replicas_in_their_order() -> None:
    placement = Placement(1, 8, (("a", 1, 4), ("b", 1, 2)))
    owners = [placement.owner(at) for at in range(8)]
    assert owners == [(0, 0)] * 4 + [(1, 0)] * 2 + [None] * 2


def test_the_trade_off_has_a_mark_for_each_run(comparison: Comparison) -> None:
    figure = trade_off_figure(comparison, WORDS)
    named = [trace.name for trace in figure.data if trace.mode == "markers+text"]
    assert named == list(comparison.labels)


def test_bars_carry_their_intervals(comparison: Comparison) -> None:
    row = next(row for row in comparison.rows if row.path == "cost.usd_per_million_output_tokens")
    (bars,) = small_figure(comparison.labels, row.values, "cost", 1.0, "USD").data
    assert [round(height, 9) for height in bars.y] == [round(one.value, 9) for one in row.values if one]
    assert all(reach >= 0 for reach in (*bars.error_y.array, *bars.error_y.arrayminus))


def test_bars_of_parts_have_one_row_for_each_run() -> None:
    figure = parts_figure(["a", "b"], [{"x": 1.0, "y": 2.0}, {"y": 1.0}], "s", ["x", "z", "y"])
    assert [list(trace.x) for trace in figure.data] == [[1.0, 0.0], [2.0, 1.0]]


def test_lengths_are_drawn(results: list[Result]) -> None:
    assert len(lengths_figure(workload_series(results[0])["chat"], WORDS).data) == 2


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_report_is_one_page_that_needs_no_network(
    results: list[Result], comparison: Comparison, language: str, tmp_path: Path
) -> None:
    page = html_report(results, Words(language), comparison)
    assert page.count("<html") == 1
    assert "<script src=" not in page
    assert "<link" not in page
    for result in results:
        assert result.scenario.name in page


def test_names_in_the_report_are_text(results: list[Result]) -> None:
    text = scenario_text().replace("What does", "<script>alert(1)</script> What does")
    page = html_report([dcsim.run(dcsim.load(text, overrides={"calibration_draws": 0}))], WORDS)
    assert "<script>alert(1)" not in page
