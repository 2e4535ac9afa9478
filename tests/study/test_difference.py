import math

import pytest

from dcsim.metrics.prediction import Pilot, prediction_intervals
from dcsim.metrics.summary import Summary
from dcsim.result import Estimate
from dcsim.study.difference import Significance, calibration_reach, difference
from dcsim.study.paired_effect import Pairs

SHARED_NOISE = (0.2, 0.5, 1.0, 3.0, 9.0)  # of five replications, mean 2.74


def test_a_difference_is_signed_and_relative_to_the_baseline():
    found = difference(Estimate(3.0), Estimate(4.0))
    assert (found.absolute, found.relative_frac) == (-1.0, -0.25)


@pytest.mark.parametrize("baseline", [0.0, 5e-324])
def test_a_baseline_of_nothing_has_no_relative_difference(baseline: float):
    assert difference(Estimate(3.0), Estimate(baseline)).relative_frac is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [(15.0, Significance.WITHIN_NOISE), (15.1, Significance.BEYOND_NOISE), (5.0, Significance.WITHIN_NOISE)],
)
def test_noise_of_two_runs_adds_in_quadrature(value: float, expected: Significance):
    assert difference(Estimate(value, 3.0), Estimate(10.0, 4.0)).significance is expected


@pytest.mark.parametrize("half_widths", [(None, 1.0), (1.0, None), (None, None)])
def test_without_half_widths_the_significance_is_unknown(half_widths: tuple[float | None, float | None]):
    first, second = half_widths
    found = difference(Estimate(9.0, first, (8.0, 10.0)), Estimate(1.0, second, (0.0, 2.0)))
    assert found.significance is Significance.UNKNOWN


def test_no_difference_is_within_any_noise():
    assert difference(Estimate(1.0), Estimate(1.0)).significance is Significance.WITHIN_NOISE


def test_the_sides_that_face_each_other_tell_whether_a_difference_is_clear():
    low, high = Estimate(10.0, 0.1, (-math.inf, 13.0)), Estimate(15.1, 0.1, (11.1, math.inf))
    nearer = Estimate(14.9, 0.1, (10.9, math.inf))
    assert difference(high, low).significance is Significance.CLEAR  # 5.1 > hypot(3, 4)
    assert difference(low, high).significance is Significance.CLEAR
    assert difference(nearer, low).significance is Significance.BEYOND_NOISE


def test_an_end_without_bound_is_never_cleared():
    low, high = Estimate(1.0, 0.1, (0.9, math.inf)), Estimate(1e300, 0.1, (1e299, math.inf))
    assert difference(high, low).significance is Significance.BEYOND_NOISE


def test_without_prediction_intervals_a_difference_is_beyond_noise_at_most():
    assert difference(Estimate(9.0, 0.1), Estimate(1.0, 0.1)).significance is Significance.BEYOND_NOISE


def test_what_is_clear_is_beyond_the_noise_too():
    capped = Estimate(1.0, 0.5, (1.0, 1.0))  # by its nature between 0 and 1
    assert difference(capped, Estimate(0.9, 0.5, (0.9, 0.9))).significance is Significance.WITHIN_NOISE


def estimate(mean: float, prediction: tuple[float, float] | None = None) -> Estimate:
    return Estimate(mean, 4.6 * mean / 2.74, prediction)


def test_a_factor_is_beyond_noise_that_both_share_and_within_noise_that_they_do_not():
    pairs = [(1.05 * noise, noise) for noise in SHARED_NOISE]
    number, baseline = estimate(1.05 * 2.74), estimate(2.74)
    assert difference(number, baseline).significance is Significance.WITHIN_NOISE
    found = difference(number, baseline, pairs)
    assert (found.significance, found.is_paired) == (Significance.BEYOND_NOISE, True)
    assert found.relative_frac == pytest.approx(0.05)


@pytest.mark.parametrize("num_replications", [2, 5])
def test_whatever_adds_or_multiplies_the_same_in_every_replication_is_beyond_noise(num_replications: int):
    shared = SHARED_NOISE[:num_replications]
    for change in (lambda x: 2.0 * x, lambda x: x + 1e-3, lambda x: x - 1.0, lambda x: 0.999 * x):
        pairs = [(change(noise), noise) for noise in shared]
        number, baseline = (Estimate(math.fsum(side) / len(shared)) for side in zip(*pairs, strict=True))
        assert difference(number, baseline, pairs).significance is Significance.BEYOND_NOISE


def test_paired_numbers_without_a_common_tendency_are_within_noise():
    pairs = [(1.0, 2.0), (2.0, 1.0), (3.0, 3.1)]
    assert difference(Estimate(2.0), Estimate(6.1 / 3), pairs).significance is Significance.WITHIN_NOISE


def test_a_mean_that_one_replication_carries_is_within_noise():
    pairs = [(0.9, 1.0), (0.9, 1.0), (0.9, 1.0), (9.0, 1.0)]  # most are lower, the mean is higher
    assert difference(Estimate(2.925), Estimate(1.0), pairs).significance is Significance.WITHIN_NOISE


def test_the_same_up_to_rounding_is_no_difference():
    pairs = [(0.1 + 0.2, 0.3), (0.1 + 0.2, 0.3)]
    assert difference(Estimate(0.1 + 0.2), Estimate(0.3), pairs).significance is Significance.WITHIN_NOISE


def swapped(pairs: Pairs) -> Pairs:
    return [(other, one) for one, other in pairs]


@pytest.mark.parametrize("spread", [0.01, 0.3])
def test_the_choice_of_the_baseline_does_not_change_what_is_significant(spread: float):
    pairs = [(1.5 * noise * (1.0 + (-1) ** i * spread), noise) for i, noise in enumerate(SHARED_NOISE)]
    number, baseline = estimate(4.1, (3.0, 5.0)), estimate(2.74, (2.7, 2.8))
    there, back = difference(number, baseline, pairs), difference(baseline, number, swapped(pairs))
    assert there.significance is back.significance
    assert there.absolute == -back.absolute


@pytest.mark.parametrize(
    ("calibration", "expected"), [(0.9, Significance.CLEAR), (1.1, Significance.BEYOND_NOISE)]
)
def test_paired_numbers_are_clear_by_what_is_not_known_of_the_calibration_alone(
    calibration: float, expected: Significance
):
    pairs = [(2.0 * noise, noise) for noise in SHARED_NOISE]
    number, baseline = (  # 0.6^2 + 0.8^2 = 1: together the calibrations reach as far as the two are apart
        Estimate(mean, 5.0, (mean - math.hypot(5.0, reach), mean + math.hypot(5.0, reach)))
        for mean, reach in ((5.48, 0.6 * 2.74 * calibration), (2.74, 0.8 * 2.74 * calibration))
    )
    assert difference(number, baseline).significance is Significance.WITHIN_NOISE
    assert difference(number, baseline, pairs).significance is expected


@pytest.mark.parametrize("half_width", [0.5, 4.0, 40.0])
def test_what_the_calibration_has_of_a_prediction_interval_is_what_it_is_without_noise(half_width: float):
    path = ("serving", "chat", "ttft_s", "p99")
    pilots = [Pilot({path: 10.0 * math.exp(effect)}) for effect in (0.0, -0.02, 0.02, -0.1, 0.1)]

    def reaches(width: float) -> list[float]:
        figures, widths = ({"serving": {"chat": {"ttft_s": {"p99": one}}}} for one in (100.0, width))
        found = prediction_intervals(Summary(figures, widths), pilots[0], pilots[1:])
        ends = found["serving"]["chat"]["ttft_s"]["p99"]  # type: ignore[index, call-overload]
        return [calibration_reach(Estimate(100.0, width), end) for end in ends]

    assert reaches(half_width) == pytest.approx(reaches(0.0))


def test_an_end_cut_off_at_a_bound_counts_whole():
    low, high = Estimate(0.90, 0.2, (0.5, 1.0)), Estimate(0.99, 0.001, (0.98, 1.0))
    found = difference(high, low, [(0.99, 0.90), (0.99, 0.90)])
    assert found.significance is Significance.BEYOND_NOISE  # 0.09 is less than the 0.1 up to 1
    nothing, some = Estimate(0.0, 0.0, (0.0, 0.0)), Estimate(1.0, 0.99, (0.0, 2.0))
    assert difference(some, nothing, [(1.0, 0.0)] * 2).significance is Significance.BEYOND_NOISE
