import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcsim.formulas.estimation import half_width, percentile, student_t_quantile, weighted_percentile


@pytest.mark.parametrize(
    ("num_degrees", "at_975", "at_995"),
    [  # any printed table of Student's t
        (1, 12.706, 63.657),
        (2, 4.303, 9.925),
        (3, 3.182, 5.841),
        (4, 2.776, 4.604),
        (5, 2.571, 4.032),
        (10, 2.228, 3.169),
        (19, 2.093, 2.861),
        (30, 2.042, 2.750),
        (120, 1.980, 2.617),
    ],
)
def test_t_quantiles_are_those_of_the_table(num_degrees, at_975, at_995):
    assert student_t_quantile(0.975, num_degrees) == pytest.approx(at_975, abs=6e-4)
    assert student_t_quantile(0.995, num_degrees) == pytest.approx(at_995, abs=6e-4)


def test_t_tends_to_the_normal_and_is_symmetric():
    assert student_t_quantile(0.975, 1e6) == pytest.approx(1.959964, abs=1e-5)
    assert student_t_quantile(0.025, 7) == -student_t_quantile(0.975, 7)
    assert student_t_quantile(0.5, 7) == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize(("probability", "num_degrees"), [(0.0, 5), (1.0, 5), (0.9, 0.5)])
def test_t_refuses_what_it_is_not_defined_for(probability, num_degrees):
    with pytest.raises(ValueError, match="must"):
        student_t_quantile(probability, num_degrees)


def test_half_width_is_t_times_the_standard_error():
    values = [1.0, 2.0, 3.0, 4.0]
    standard_error = math.sqrt(sum((value - 2.5) ** 2 for value in values) / 3 / 4)
    assert half_width(values) == pytest.approx(3.18245 * standard_error, rel=1e-5)


def test_one_value_has_no_half_width_and_equal_values_have_none_to_speak_of():
    assert half_width([1.0]) is None
    assert half_width([0.1] * 7) == 0.0


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50), st.floats(0.0, 1.0))
def test_percentiles_are_those_of_numpy(values, quantile):
    found = percentile(np.array(values), [quantile])[0]
    assert found == pytest.approx(np.percentile(values, 100 * quantile), rel=1e-9, abs=1e-6)


def test_percentiles_that_fall_among_unknown_values_are_unknown():
    values = np.arange(1.0, 9.0)  # eight known, two longer than all of them
    assert percentile(values, [0.5, 0.75, 0.9], num_beyond=2) == [5.5, 7.75, None]
    assert percentile(np.array([]), [0.5], num_beyond=3) == [None]


@given(
    st.lists(st.tuples(st.integers(0, 20), st.integers(1, 5)), min_size=1, max_size=30), st.floats(0.01, 1.0)
)
def test_weights_repeat_values(pairs, quantile):
    repeated = sorted(value for value, weight in pairs for _ in range(weight))
    values, weights = np.array(pairs, dtype=float).T
    rank = math.ceil(quantile * len(repeated) - 1e-9)
    assert weighted_percentile(values, weights, [quantile]) == [repeated[max(rank, 1) - 1]]


def test_no_weight_has_no_percentile():
    assert weighted_percentile(np.array([1.0]), np.array([0.0]), [0.5]) == [None]
