from dcsim.result import Result
from dcsim.study.comparison import compare
from dcsim.study.difference import Significance
from dcsim.study.finding import Finding, FindingKind
from tests.study.made_results import COST, IS_MET, LATENCY, VERDICT, made, standing


def found(*results: Result) -> dict[FindingKind, list[Finding]]:
    sentences = compare(results).sentences()
    return {kind: [one for one in sentences if one.kind is kind] for kind in FindingKind}


def test_a_win_has_winner_runner_up_and_lead():
    findings = found(standing(4.0, 2.0, 1.0), standing(3.0, 2.0, 2.0))
    assert findings[FindingKind.WINS] == [
        Finding(FindingKind.WINS, "cost", 1, 0, -0.25, Significance.BEYOND_NOISE),
        Finding(FindingKind.WINS, "latency", 0, 1, -0.5, Significance.BEYOND_NOISE),
    ]
    assert findings[FindingKind.TIE] == [Finding(FindingKind.TIE, "energy", results=(0, 1))]
    assert findings[FindingKind.PARETO] == []


def test_results_stand_by_how_they_meet_the_slo():
    findings = found(*(standing(1.0, 1.0, 1.0, is_met) for is_met in (True, False, None, True)))
    assert [one.results for one in findings[FindingKind.MEETS_SLO]] == [(0, 3)]
    assert [one.results for one in findings[FindingKind.MISSES_SLO]] == [(1,)]
    assert [one.results for one in findings[FindingKind.UNDECIDED_SLO]] == [(2,)]


def test_the_cheapest_that_meets_the_slo_is_told_where_a_cheaper_one_misses_it():
    missing, cheap, dear = standing(1.0, 1.0, 1.0, False), standing(2.0, 1.0, 1.0), standing(3.0, 1.0, 1.0)
    (cheapest,) = found(missing, cheap, dear)[FindingKind.CHEAPEST_MEETING_SLO]
    assert cheapest.winner == 1
    assert found(cheap, dear)[FindingKind.CHEAPEST_MEETING_SLO] == []
    assert found(cheap, cheap)[FindingKind.CHEAPEST_MEETING_SLO] == []
    assert found(missing, cheap)[FindingKind.CHEAPEST_MEETING_SLO] == []


def test_the_front_is_told_where_some_are_beaten():
    findings = found(standing(1.0, 2.0, 3.0), standing(3.0, 2.0, 1.0), standing(3.0, 3.0, 3.0))
    assert findings[FindingKind.PARETO] == [Finding(FindingKind.PARETO, results=(0, 1))]
    assert found(standing(1.0, 2.0, 3.0), standing(3.0, 3.0, 3.0, False))[FindingKind.PARETO] == []


def test_what_is_missing_is_told_once_with_its_reason():
    unstable = made({VERDICT: "unstable", IS_MET: False, COST: 1.0, LATENCY: None})
    findings = found(standing(None, 1.0, 1.0), unstable)
    assert findings[FindingKind.LACKS] == [
        Finding(FindingKind.LACKS, "cost", results=(0,)),
        Finding(FindingKind.LACKS, "energy", results=(1,)),
    ]
    assert findings[FindingKind.NO_STEADY_STATE] == [Finding(FindingKind.NO_STEADY_STATE, results=(1,))]
