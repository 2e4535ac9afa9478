import pytest

from dcsim.study.slo_status import SloStatus, has_steady_state, slo_status
from tests.study.made_results import IS_MET, VERDICT, made
from tests.study.scenarios_for_tests import small_cluster, tiny


@pytest.mark.parametrize(
    ("is_met", "verdict", "status"),
    [
        (True, "stable", SloStatus.MET),
        (True, "saturated", SloStatus.MET),
        (False, "stable", SloStatus.MISSED),
        (None, "stable", SloStatus.UNDECIDED),
        (True, "unstable", SloStatus.MISSED),
    ],
)
def test_a_status_is_told_by_verdict_and_attainment(is_met: bool | None, verdict: str, status: SloStatus):
    result = made({IS_MET: is_met, VERDICT: verdict})
    assert slo_status(result) is status
    assert has_steady_state(result) is (verdict != "unstable")


def test_without_limits_nothing_is_met_or_missed():
    free = made({IS_MET: None, VERDICT: "unstable"}, scenario=tiny(serving__chat__slo={}))
    assert slo_status(free) is SloStatus.NO_LIMITS


def test_the_worst_workload_decides():
    chat = tiny().document["serving"]["chat"]
    scenario = tiny(cluster__num_nodes=2, serving={"a": chat, "b": chat, "c": {**chat, "slo": {}}})
    values = {"serving.a.is_slo_met": True, "serving.b.is_slo_met": False, "serving.c.is_slo_met": None}
    assert slo_status(made(values, scenario=scenario)) is SloStatus.MISSED


def test_a_result_that_serves_nothing_has_no_limits():
    result = made({}, scenario=small_cluster())
    assert slo_status(result) is SloStatus.NO_LIMITS
    assert has_steady_state(result)
