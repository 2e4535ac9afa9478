import math

import pytest

from dcsim.result import Estimate
from dcsim.study.difference import Significance, difference


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
