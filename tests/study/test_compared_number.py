from pathlib import Path

import pytest

from dcsim.result import Estimate, Result
from dcsim.spec.loader import load
from dcsim.spec.scenario import Scenario
from dcsim.study.compared_number import ComparedNumber, ComparedResults, Sample
from tests.study.made_results import COST, VERDICT, made
from tests.study.scenarios_for_tests import TINY, tiny

CHAT = tiny().document["serving"]["chat"]
STABLE = {VERDICT: "stable"}
TRACE = "arrived_at_s,num_prompt_tokens,num_output_tokens\n0.5,10,5\n"


def sampled(scenario: Scenario, name: str = "chat") -> Result:
    """A result of three replications that kept what each cost and how many requests it served."""
    values = {f"serving.{name}.requests_per_s": 2.0, COST: 2.0}
    samples = {path: [1.0, 2.0, 3.0] for path in values}
    return made(values, scenario=scenario, by_replication=samples)


def are_paired(one: Scenario, other: Scenario) -> bool:
    return ComparedResults([sampled(one), sampled(other)], 0).are_paired(0, 1)


@pytest.mark.parametrize(
    "change",
    [
        {"cluster__node": "dgx-b200"},
        {"economics": None},
        {"serving__chat__engine": "sglang"},
        {"serving__chat__slo": {"ttft": "1 s"}},
        {"calibration_draws": 24, "name": "other", "question": "Why?"},
    ],
)
def test_results_that_see_the_same_requests_are_paired(change: dict[str, object]):
    assert are_paired(tiny(replications=3), tiny(replications=3, **change))


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 8},
        {"replications": 4},
        {"duration": "21 s"},
        {"warmup": "1 s"},
        {"serving__chat__traffic__arrivals__rate": "5 /s"},
        {"serving__chat__traffic__lengths__output": 41},
        {"serving__chat__traffic__num_requests": 10},
    ],
)
def test_results_that_see_other_requests_are_not_paired(change: dict[str, object]):
    assert not are_paired(tiny(replications=3), tiny(**{"replications": 3, **change}))


def test_results_of_one_replication_are_not_paired():
    alone = made(STABLE, scenario=tiny())
    assert not ComparedResults([alone, alone], 0).are_paired(0, 1)


def test_results_saved_without_their_replications_are_not_paired():
    old = made({**STABLE, COST: 2.0}, half_widths={COST: 0.1}, scenario=tiny(replications=3))
    compared = ComparedResults([old, sampled(tiny(replications=3))], 0)
    assert not compared.are_paired(0, 1)
    assert compared.number(COST).samples[0] is None


def test_a_workload_of_another_name_draws_other_requests():
    other = tiny(replications=3, serving={"code": CHAT})
    compared = ComparedResults([sampled(tiny(replications=3)), sampled(other, "code")], 0)
    assert list(compared.workloads) == ["*"]
    assert not compared.are_paired(0, 1)


def test_traces_are_the_same_if_their_files_are(tmp_path: Path):
    scenarios = []
    for folder in (tmp_path / "a", tmp_path / "b"):
        folder.mkdir()
        (folder / "trace.csv").write_text(TRACE)
        traced = {"replications": 3, "serving.chat.traffic": {"trace": "trace.csv"}}
        scenarios.append(load(TINY, overrides=traced, folder=folder))
    named = scenarios[1].replace({"serving.chat.traffic": {"trace": str(tmp_path / "a" / "trace.csv")}})
    assert not are_paired(*scenarios)
    assert are_paired(scenarios[0], named)


def test_a_number_that_one_replication_lacks_is_not_paired():
    samples = {COST: [1.0, None, 3.0]}
    gap = made({**STABLE, COST: 2.0}, scenario=tiny(replications=3), by_replication=samples)
    compared = ComparedResults([gap, sampled(tiny(replications=3))], 0)
    assert compared.are_paired(0, 1)
    found = compared.number(COST).difference(0, 1)
    assert found is not None
    assert not found.is_paired


def test_numbers_of_one_origin_are_held_against_each_other_by_replication():
    values = (Estimate(2.0), Estimate(4.0), Estimate(4.0), None)
    samples = (Sample("a", (1.0, 3.0)), Sample("a", (2.0, 6.0)), Sample("b", (2.0, 6.0)), None)
    number = ComparedNumber(values, samples)
    found = [number.difference(index, 0) for index in range(4)]
    assert [one and one.is_paired for one in found] == [True, True, False, None]
