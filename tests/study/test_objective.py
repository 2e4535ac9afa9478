import pytest

from dcsim.result import Estimate
from dcsim.study.difference import Significance
from dcsim.study.objective import Objective, cheapest_meeting_slo, pareto_results, winner_of
from dcsim.study.slo_status import SloStatus

MET, MISSED, UNDECIDED = SloStatus.MET, SloStatus.MISSED, SloStatus.UNDECIDED


def objective(*numbers: float | None, noise: float | None = 0.0, name: str = "cost") -> Objective:
    return Objective(name, name, tuple(None if one is None else Estimate(one, noise) for one in numbers))


def test_the_lowest_wins_by_its_lead_over_the_next():
    winner = winner_of(objective(4.0, 9.0, None, 3.0))
    assert (winner.index, winner.runner_up, winner.ties) == (3, 0, ())
    assert winner.lead is not None
    assert (winner.lead.relative_frac, winner.lead.significance) == (-0.25, Significance.BEYOND_NOISE)


def test_whoever_is_within_noise_of_the_best_ties_with_it():
    winner = winner_of(objective(4.0, 9.0, 3.0, noise=1.0))
    assert (winner.index, winner.ties, winner.lead) == (None, (0, 2), None)


def test_a_noisy_third_keeps_the_first_from_winning():
    values = (Estimate(1.0, 0.1), Estimate(2.0, 0.1), Estimate(3.0, 5.0))
    assert winner_of(Objective("cost", "cost", values)).ties == (0, 2)


def test_a_win_whose_noise_is_not_known_says_so():
    lead = winner_of(objective(1.0, 2.0, noise=None)).lead
    assert lead is not None
    assert lead.significance is Significance.UNKNOWN


@pytest.mark.parametrize("numbers", [(), (None, None), (None, 1.0)])
def test_nobody_wins_without_a_rival(numbers: tuple[float | None, ...]):
    assert winner_of(objective(*numbers)).index is None


def test_who_misses_the_slo_or_lacks_a_number_is_not_on_the_front():
    costs, latencies = objective(1.0, 2.0, 3.0, 0.5), objective(9.0, 5.0, 6.0, None)
    assert pareto_results([costs, latencies], [MISSED, MET, UNDECIDED, MET]) == (False, True, False, False)


def test_if_every_one_misses_the_slo_all_are_compared():
    costs, latencies = objective(1.0, 2.0, 3.0, 0.5), objective(9.0, 5.0, 6.0, None)
    assert pareto_results([costs, latencies], [MISSED, MISSED, MISSED, MET]) == (True, True, False, False)


def test_without_objectives_there_is_no_front():
    assert pareto_results([], [MET, MET]) == (False, False)


def test_the_cheapest_is_of_those_that_meet_the_slo():
    costs = objective(1.0, 5.0, 4.0, None)
    assert cheapest_meeting_slo(costs, [MISSED, MET, MET, MET]) == 2
    assert cheapest_meeting_slo(costs, [UNDECIDED, MISSED, MISSED, MET]) is None
    assert cheapest_meeting_slo(None, [MET]) is None
