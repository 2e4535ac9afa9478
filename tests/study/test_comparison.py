import json
import math
from pathlib import Path

import pytest

import dcsim
from dcsim.metrics.contract import declared_keys
from dcsim.result import Result
from dcsim.study.comparison import Comparison, compare
from dcsim.study.comparison_row import ComparisonRow
from dcsim.study.difference import Significance
from dcsim.study.run import run
from dcsim.study.slo_status import SloStatus
from tests.study.made_results import (
    COST,
    FACILITY_ENERGY,
    IS_MET,
    IT_ENERGY,
    LATENCY,
    VERDICT,
    made,
    standing,
)
from tests.study.scenarios_for_tests import tiny

LENGTH = {"duration": "2 min", "replications": 3, "calibration_draws": 4}
# bursts of requests whose lengths spread far: no two replications look alike
NOISY = {
    "replications": 3,
    "serving__chat__traffic": {
        "arrivals": {"policy": "gamma", "rate": "4 /s", "cv": 4},
        "lengths": {"policy": "lognormal", "prompt_mean": 300, "output_mean": 60, "cv": 2},
    },
}
RENTED = {"base": "on-demand-lambda", "accelerator_price": {"h100-sxm": "5.98 USD/h"}}


@pytest.fixture(scope="module")
def result() -> Result:
    return run(tiny(**LENGTH, economics__prices="on-demand-lambda"), num_processes=1)


@pytest.fixture(scope="module")
def noisy() -> Result:
    return run(tiny(**NOISY, economics__prices="on-demand-lambda"), num_processes=1)


@pytest.fixture(scope="module")
def dearer() -> Result:
    return run(tiny(**LENGTH, economics__prices=RENTED), num_processes=1)


def row(comparison: Comparison, path: str) -> ComparisonRow:
    return next(one for one in comparison.rows if one.path == path)


def significances(comparison: Comparison) -> set[Significance | None]:
    return {one and one.significance for row in comparison.rows for one in row.differences}


def test_two_runs_with_the_same_seed_are_within_noise_everywhere(result: Result):
    comparison = compare([result, run(result.scenario, num_processes=1)])
    assert significances(comparison) == {Significance.WITHIN_NOISE}
    assert comparison.labels == ("tiny", "tiny #2")
    assert comparison.differences_in_scenario == ((), ())
    assert {winner.ties for winner in comparison.winners} == {(0, 1)}
    assert comparison.pareto == (True, True)


def test_another_seed_changes_no_number_beyond_the_noise_that_the_calibration_does_not_hide(result: Result):
    other = run(result.scenario.replace({"seed": 8}), num_processes=1)
    comparison = compare([result, other])
    assert comparison.labels == ("tiny: seed 7", "tiny: seed 8")
    assert Significance.CLEAR not in significances(comparison)


def test_twice_the_price_is_exactly_twice_the_cost_and_clear(result: Result, dearer: Result):
    comparison = compare([result, dearer])
    for path in (COST, "cost.usd_per_accelerator_hour", "cost.usd_per_yr"):
        change = row(comparison, path).differences[1]
        assert change is not None
        assert change.relative_frac == pytest.approx(1.0, rel=1e-12)
        assert change.significance is Significance.CLEAR
    others = [one for one in comparison.rows if not one.path.startswith("cost.")]
    assert {one.differences[1].absolute for one in others if one.differences[1]} == {0.0}
    assert (comparison.pareto, comparison.cheapest_meeting_slo) == ((True, False), 0)


def changed(noisy: Result, settings: dict[str, object]) -> Result:
    return run(noisy.scenario.replace(settings), num_processes=1)


def without_replications(result: Result) -> Result:
    """As it would have been saved before the values of each replication were kept."""
    summary = {key: value for key, value in result.summary.items() if key != "by_replication"}
    return Result(lambda: result.scenario, result.tables, summary, result.record)


def test_twice_the_price_is_beyond_noise_however_noisy_the_load(noisy: Result):
    pair = [noisy, changed(noisy, {"economics.prices": RENTED})]
    before = row(compare([without_replications(one) for one in pair]), COST).differences[1]
    now = row(compare(pair), COST).differences[1]
    assert before is not None
    assert now is not None
    assert (before.significance, before.is_paired) == (Significance.WITHIN_NOISE, False)
    assert (now.significance, now.is_paired) == (Significance.BEYOND_NOISE, True)
    assert now.relative_frac == before.relative_frac == pytest.approx(1.0)
    assert compare(pair).winners[0].index == 0


def test_another_accelerator_under_the_same_requests_costs_and_draws_more_or_less_beyond_noise(noisy: Result):
    owned = [{"economics.prices": "owned-2026", "cluster.node": node} for node in ("dgx-h100", "dgx-b200")]
    comparison = compare([changed(noisy, settings) for settings in owned])
    assert comparison.is_paired == (True, True)
    for path in (COST, IT_ENERGY, "serving.chat.tpot_s.mean"):
        change = row(comparison, path).differences[1]
        assert change is not None
        assert change.significance is Significance.BEYOND_NOISE, path


def test_results_of_other_seeds_are_not_paired(noisy: Result):
    comparison = compare([noisy, changed(noisy, {"seed": 8})])
    assert comparison.is_paired == (True, False)
    assert {one.differences[1].is_paired for one in comparison.rows if one.differences[1]} == {False}


def test_a_change_of_sides_changes_the_sign(result: Result, dearer: Result):
    there, back = compare([result, dearer]), compare([result, dearer], baseline=1)
    changes = row(there, COST).differences[1], row(back, COST).differences[0]
    assert all(changes)
    assert changes[0].absolute == -changes[1].absolute  # type: ignore[union-attr]
    assert there.winners == back.winners


def test_every_number_compared_is_in_the_contract(result: Result):
    declared = {path.replace("NAME", "chat") for path, _ in declared_keys()}
    paths = {one.path for one in compare([result, result]).rows}
    assert paths <= declared
    assert {LATENCY, COST, IT_ENERGY, "serving.chat.slo_met_probability"} <= paths


def test_saved_results_compare_as_they_did_before(result: Result, dearer: Result, tmp_path: Path):
    saved = [dcsim.open(one.save(tmp_path / str(number))) for number, one in enumerate((result, dearer))]
    assert compare(saved) == compare([result, dearer])


def test_the_document_is_json_and_the_frame_has_a_row_for_each_number_and_result(result: Result):
    comparison = compare([result, result], labels=["a", "b"])
    assert json.loads(json.dumps(comparison.document(), allow_nan=False))["labels"] == ["a", "b"]
    frame = comparison.to_frame()
    assert len(frame) == 2 * len(comparison.rows)
    assert set(frame["label"]) == {"a", "b"}
    cost = frame[(frame["path"] == COST) & (frame["label"] == "b")].iloc[0]
    assert (cost["value"], cost["significance"]) == (result.cost[COST.split(".")[1]].value, "within_noise")


def test_an_end_without_bound_is_null_in_the_document():
    one = made({LATENCY: 1.0}, half_widths={LATENCY: 0.1}, predictions={LATENCY: [0.5, None]})
    (row,) = compare([one, one]).document()["rows"]
    assert row["values"][0]["prediction"] == [0.5, None]


def test_one_workload_of_another_name_is_compared_all_the_same():
    others = [{"serving.chat.requests_per_s": 1.0}, {"serving.code.requests_per_s": 2.0}]
    scenarios = [tiny(), tiny(serving={"code": tiny().document["serving"]["chat"]})]
    results = [made(values, scenario=one) for values, one in zip(others, scenarios, strict=True)]
    (found,) = compare(results).rows
    assert (found.path, [one and one.value for one in found.values]) == (
        "serving.*.requests_per_s",
        [1.0, 2.0],
    )


def test_of_several_workloads_those_that_all_results_have_are_compared():
    def several(*names: str) -> Result:
        one = tiny(cluster__num_nodes=2, serving={name: tiny().document["serving"]["chat"] for name in names})
        return made({f"serving.{name}.e2e_s.p99": 1.0 for name in names}, scenario=one)

    comparison = compare([several("a", "b", "c"), several("d", "c", "b")])
    assert [one.path for one in comparison.rows] == ["serving.b.e2e_s.p99", "serving.c.e2e_s.p99"]
    assert [one.name for one in comparison.objectives] == ["latency.b", "latency.c"]
    assert compare([several("a", "b"), several("c")]).rows == ()


def test_missing_sections_and_latencies_are_none():
    unstable = made({VERDICT: "unstable", IS_MET: True, LATENCY: None, COST: math.nan, IT_ENERGY: 2.0})
    comparison = compare([standing(3.0, 1.0, 1.0), unstable])
    assert row(comparison, LATENCY).values[1] is None
    assert row(comparison, LATENCY).differences[1] is None
    assert row(comparison, COST).values[1] is None
    assert comparison.slo == (SloStatus.MET, SloStatus.MISSED)
    assert comparison.has_steady_state == (True, False)
    assert comparison.pareto == (True, False)


def test_without_a_baseline_number_there_is_no_difference():
    comparison = compare([made({COST: None}), made({COST: 3.0})])
    assert row(comparison, COST).differences == (None, None)
    assert [one.index for one in comparison.winners] == [None]


def test_energy_is_compared_at_the_meter_only_where_every_result_has_one():
    metered = made({IT_ENERGY: 2.0, FACILITY_ENERGY: 3.0})
    (energy,) = compare([metered, metered]).objectives
    assert energy.path == FACILITY_ENERGY
    (energy,) = compare([metered, made({IT_ENERGY: 1.0, FACILITY_ENERGY: None})]).objectives
    assert energy.path == IT_ENERGY


def test_a_number_that_nothing_moves_is_known_exactly_where_the_calibration_was_drawn():
    for predictions, expected in (({"num_draws": 4}, Significance.CLEAR), ({}, Significance.BEYOND_NOISE)):
        pair = [made({COST: cost}, half_widths={COST: 0.0}, predictions=predictions) for cost in (1.0, 1.1)]
        change = row(compare(pair), COST).differences[1]
        assert change is not None
        assert change.significance is expected


def test_the_latency_that_counts_can_be_chosen(result: Result):
    comparison = compare([result, result], latency="ttft_s.p90")
    assert comparison.objectives[-1].path == "serving.chat.ttft_s.p90"
    assert comparison.objectives[-1].values[0] == result.view.find("serving.chat.ttft_s.p90")


@pytest.mark.parametrize(
    ("num_results", "options", "words"),
    [
        (0, {}, "Give one more"),
        (1, {}, "Give one more"),
        (9, {}, "Compare some at a time"),
        (2, {"baseline": 2}, "Choose one of them"),
        (2, {"baseline": -1}, "Choose one of them"),
        (2, {"labels": ["a"]}, "Give 2 different ones"),
        (2, {"labels": ["a", "a"]}, "Give 2 different ones"),
        (2, {"latency": "e2e.p99"}, "Did you mean 'e2e_s.p99'"),
    ],
)
def test_what_cannot_be_compared_is_refused_with_a_remedy(num_results: int, options: dict, words: str):
    with pytest.raises(dcsim.ScenarioError, match=words):
        compare([made({COST: 1.0})] * num_results, **options)
