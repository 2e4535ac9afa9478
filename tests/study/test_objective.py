import pytest

from dcsim.result import Estimate
from dcsim.study.compared_number import ComparedNumber, Sample
from dcsim.study.difference import Significance
from dcsim.study.objective import Objective, Winner, cheapest_meeting_slo, pareto_results, winner_of
from dcsim.study.slo_status import SloStatus

MET, MISSED, UNDECIDED = SloStatus.MET, SloStatus.MISSED, SloStatus.UNDECIDED
NOISE_TOGETHER = (0.5, 1.0, 3.0)  # of three replications


def objective(*numbers: float | None, noise: float | None = 0.0, name: str = "cost") -> Objective:
    return Objective(name, name, tuple(None if one is None else Estimate(one, noise) for one in numbers))


def winner(one: Objective) -> Winner:
    return winner_of(one.name, ComparedNumber(one.values))


def sharing_noise(*means: float, origins: str) -> ComparedNumber:
    """Numbers that differ by a factor in each replication, however noisy all are; one origin for each."""
    samples = [
        Sample(origin, tuple(mean * noise / 1.5 for noise in NOISE_TOGETHER))
        for mean, origin in zip(means, origins, strict=True)
    ]
    return ComparedNumber(tuple(Estimate(mean, 2.2 * mean) for mean in means), tuple(samples))


def test_the_lowest_wins_by_its_lead_over_the_next():
    found = winner(objective(4.0, 9.0, None, 3.0))
    assert (found.index, found.runner_up, found.ties) == (3, 0, ())
    assert found.lead is not None
    assert (found.lead.relative_frac, found.lead.significance) == (-0.25, Significance.BEYOND_NOISE)


def test_whoever_is_within_noise_of_the_best_ties_with_it():
    found = winner(objective(4.0, 9.0, 3.0, noise=1.0))
    assert (found.index, found.ties, found.lead) == (None, (0, 2), None)


def test_a_noisy_third_keeps_the_first_from_winning():
    values = (Estimate(1.0, 0.1), Estimate(2.0, 0.1), Estimate(3.0, 5.0))
    assert winner(Objective("cost", "cost", values)).ties == (0, 2)


def test_noise_that_the_best_shares_with_the_others_is_no_tie():
    assert winner_of("cost", sharing_noise(1.1, 1.0, 1.2, origins="aaa")).index == 1
    assert winner_of("cost", sharing_noise(1.1, 1.0, 1.2, origins="aab")).ties == (1, 2)
    assert winner_of("cost", sharing_noise(1.1, 1.0, 1.2, origins="abc")).ties == (0, 1, 2)


def test_a_win_whose_noise_is_not_known_says_so():
    lead = winner(objective(1.0, 2.0, noise=None)).lead
    assert lead is not None
    assert lead.significance is Significance.UNKNOWN


@pytest.mark.parametrize("numbers", [(), (None, None), (None, 1.0)])
def test_nobody_wins_without_a_rival(numbers: tuple[float | None, ...]):
    assert winner(objective(*numbers)).index is None


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
