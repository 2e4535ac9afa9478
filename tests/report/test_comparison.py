import io
import re

import pytest
from rich.console import Console

from dcsim.report.comparison import comparison_sentences, show_comparison
from dcsim.result import Result
from dcsim.study.comparison import Comparison, compare
from tests.study.made_results import COST, IS_MET, LATENCY, VERDICT, made, standing
from tests.study.scenarios_for_tests import tiny

H100, B200 = ["tiny: node dgx-h100", "tiny: node dgx-b200"]


def shown(comparison: Comparison, width: int = 100) -> str:
    console = Console(file=io.StringIO(), width=width, highlight=False, markup=False)
    show_comparison(console, comparison)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def with_latency(value: float, ends: list[float | None] | None, half_width: float | None = 0.01) -> Result:
    predictions = {} if ends is None else {LATENCY: ends}
    return made({LATENCY: value}, half_widths={LATENCY: half_width}, predictions=predictions)


def sentences(*results: Result, labels: list[str] | None = None) -> list[str]:
    return comparison_sentences(compare(results, labels=labels or list("abcdefgh"[: len(results)])))


def test_two_results_are_told_apart_in_a_sentence():
    drawn = {"predictions": {"num_draws": 4, LATENCY: [0.8, 1.2]}}
    one = {COST: 1.0, "energy.facility_j_per_output_token": 1.0, LATENCY: 0.88}
    other = {COST: 0.77, "energy.facility_j_per_output_token": 0.69, LATENCY: 1.0}
    results = [
        made({**values, IS_MET: is_met}, half_widths=dict.fromkeys(values, 0.0), **drawn)
        for values, is_met in ((one, False), (other, True))
    ]
    assert comparison_sentences(compare(results, labels=[H100, B200])) == [
        "node dgx-b200 is 23 % cheaper per million output tokens and draws 31 % fewer joules per output "
        "token; node dgx-h100 has the lower p99 E2E (by 12 %, within what is not known of the calibration).",
        "Only node dgx-b200 meets the SLO.",
    ]


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (with_latency(1.0, [0.9, 1.1]), with_latency(2.0, [1.8, 2.2]), "(by 50 %)"),
        (with_latency(1.0, [0.9, None]), with_latency(2.0, [1.8, 2.2]), "within what is not known"),
        (with_latency(1.0, None), with_latency(2.0, None), "leaving out what is not known"),
        (with_latency(1.0, None, None), with_latency(2.0, None), "its noise is not known"),
    ],
)
def test_a_doubtful_win_says_why(low: Result, high: Result, words: str):
    assert words in sentences(low, high)[0]


def test_of_three_the_runner_up_is_named():
    found = sentences(standing(3.0, 1.0, 1.0), standing(2.0, 1.0, 0.9), standing(1.96, 1.0, 2.0))
    doubt = "leaving out what is not known of the calibration"
    assert found[0] == (
        f"c is 2.0 % cheaper per million output tokens than b ({doubt}); "
        f"b has the lowest p99 E2E (10 % below a, {doubt})."
    )
    assert found[1:] == [
        "a, b and c are within noise of each other in energy per token.",
        "All meet the SLO.",
        "On the Pareto front of cost per token, energy per token and p99 E2E: b and c.",
    ]


def test_some_share_the_best():
    found = sentences(standing(1.0, 1.0, 1.0), standing(1.0, 1.0, 1.0), standing(2.0, 2.0, 2.0))
    nouns = "cost per token, energy per token and p99 E2E"
    assert found[0] == f"a and b share the best {nouns}, within noise of each other."


@pytest.mark.parametrize(
    ("statuses", "words"),
    [
        ([True, True], ["Both meet the SLO."]),
        ([False, False, False], ["None meets the SLO."]),
        ([True, False, False], ["Only a meets the SLO."]),
        ([True, False, True], ["a and c meet the SLO.", "b misses the SLO."]),
        (
            [True, None],
            ["a meets the SLO.", "Whether b can meet the SLO is undecided."],
        ),
    ],
)
def test_who_meets_the_slo_is_told(statuses: list[bool | None], words: list[str]):
    found = sentences(*(standing(1.0, 1.0, 1.0, is_met) for is_met in statuses))
    assert [one for one in found if "the SLO" in one and "cheapest" not in one] == words


def test_what_a_result_lacks_is_told():
    unstable = made({VERDICT: "unstable", IS_MET: False, COST: 1.0, LATENCY: None})
    found = sentences(standing(None, 1.0, 1.0), unstable)
    assert "a has no cost per token." in found
    assert "b has no steady state, and so no latencies to compare." in found


def test_latencies_of_several_workloads_are_told_apart():
    chat = tiny().document["serving"]["chat"]
    scenario = tiny(cluster__num_nodes=2, serving={"a": chat, "b": chat})
    values = {"serving.a.e2e_s.p99": 1.0, "serving.b.e2e_s.p99": 1.0}
    result = made(values, half_widths=dict.fromkeys(values, 0.1), scenario=scenario)
    assert any("p99 E2E of a and p99 E2E of b" in one for one in sentences(result, result))


def test_the_report_says_what_differs_from_the_baseline():
    scenarios = [tiny(), tiny(cluster__node="dgx-b200"), tiny()]
    text = shown(compare([made({COST: 1.0, VERDICT: "stable"}, scenario=one) for one in scenarios]))
    lines = text.splitlines()
    assert "#1 tiny: node dgx-h100 (baseline)" in lines
    assert "#2 tiny: node dgx-b200 has cluster.node dgx-b200, not dgx-h100" in lines
    assert "#3 tiny: node dgx-h100 #3 (the same scenario)" in lines


def test_the_table_shows_values_changes_and_what_they_stand_out_from():
    pairs = {COST: (2.0, 1.0), LATENCY: (0.5, None), "energy.mean_it_w": (0.0, 1.0)}
    results = [made({path: pair[i] for path, pair in pairs.items()}, half_widths={COST: 0.1}) for i in (0, 1)]
    text = shown(compare(results, labels=["a", "b"]))
    assert re.search(
        r"^  usd_per_million_output_tokens +2\.00 USD +1\.00 USD +\* +-50 %$", text, re.MULTILINE
    )
    assert re.search(r"^  e2e_s\.p99 +500 ms +- +-$", text, re.MULTILINE)
    assert re.search(r"^  mean_it_w +0 W +1\.00 W +\? +-$", text, re.MULTILINE)


def test_the_report_says_which_results_share_their_noise_with_the_baseline():
    samples = {"by_replication": {COST: [1.0, 2.0, 3.0]}}
    seeds = [tiny(replications=3, seed=seed) for seed in (7, 7, 8)]
    results = [made({COST: 2.0, VERDICT: "stable"}, scenario=one, **samples) for one in seeds]
    assert "#2 is paired with the baseline" in shown(compare(results), width=400)
    assert "paired" not in shown(compare(results[1:]), width=400)


@pytest.mark.parametrize("width", [80, 100, 120])
def test_eight_results_fit_on_any_terminal(width: int):
    text = shown(compare([standing(1.0 + number, 1.0, 1.0) for number in range(8)]), width)
    assert max(map(len, text.splitlines())) <= width
    assert text.count("usd_per_million_output_tokens") > 1
    assert "…" not in text
    assert re.search(r"8\.00 USD +\* +\+700 %", text)
