import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcsim.report.numbers import (
    BYTES,
    COUNT,
    ENERGY,
    MASS,
    PERCENT,
    POWER,
    TIME,
    USD,
    Scale,
    digits_text,
    number_text,
    percent_text,
    quantity_text,
    scales_of,
)
from dcsim.units import duration_text


@pytest.mark.parametrize(
    ("value", "scales", "text"),
    [
        (0.4567, TIME, "457 ms"),
        (0.00045, TIME, "450 µs"),
        (1.2345, TIME, "1.23 s"),
        (90.0, TIME, "90.0 s"),
        (7200.0, TIME, "2.00 h"),
        (0.0, TIME, "0 s"),
        (0.99996e-3, TIME, "1.00 ms"),
        (3.6e6, ENERGY, "1.00 kWh"),
        (12.5, ENERGY, "12.5 J"),
        (5.6e6, POWER, "5.60 MW"),
        (0.003, MASS, "3.00 g"),
        (80e9, BYTES, "80.0 GB"),
        (0.9912, PERCENT, "99.1 %"),
        (1.0, PERCENT, "100 %"),
        (12345, COUNT, "12,345"),
        (2_500_000, COUNT, "2.50 M"),
        (1234.5, USD, "1,234 USD"),
        (None, TIME, "-"),
        (math.nan, TIME, "-"),
        (math.inf, TIME, "∞"),
    ],
)
def test_a_quantity_has_three_digits_and_a_fitting_unit(value, scales, text):
    assert quantity_text(value, scales) == text


@pytest.mark.parametrize(
    ("value", "half_width", "text"),
    [
        (0.4567, 0.0123, "457 ± 12 ms"),
        (0.4567, 0.00123, "456.7 ± 1.2 ms"),
        (1.5, 2.0, "1.5 ± 2.0 s"),
        (1.5, 0.0, "1.50 s"),
        (1.5, math.nan, "1.50 s"),
    ],
)
def test_value_and_half_width_share_unit_and_decimals(value, half_width, text):
    assert quantity_text(value, TIME, half_width) == text


@given(st.floats(1e-9, 1e12))
def test_three_digits_are_within_half_a_percent(value: float):
    assert float(digits_text(value).replace(",", "")) == pytest.approx(value, rel=5.1e-3)


@given(st.floats(allow_nan=True, allow_infinity=True), st.floats(0, 1e300) | st.none())
def test_any_number_can_be_written(value: float, half_width: float | None):
    for scales in (TIME, ENERGY, COUNT, PERCENT):
        assert quantity_text(value, scales, half_width)


def test_the_suffix_of_a_name_tells_the_unit():
    assert scales_of("ttft_s") is TIME
    assert scales_of("it_j") is ENERGY
    assert scales_of("slo_attainment_frac") is PERCENT
    assert scales_of("num_preemptions") is COUNT
    assert scales_of("usd_per_million_output_tokens") is USD


def test_spans_of_wall_time_are_coarse():
    assert [duration_text(seconds) for seconds in (3.21, 59.0, 75.0, 300.0, 7260.0)] == [
        "3.2 s",
        "59 s",
        "1 min 15 s",
        "5 min",
        "2 h 1 min",
    ]


def test_percent_is_a_fraction_times_one_hundred():
    assert percent_text(0.5, 0.01) == "50.0 ± 1.0 %"


@pytest.mark.parametrize("seconds", [7e-16, -7e-16, 9.9e-10])
def test_less_than_a_nanosecond_is_rounding_and_shown_as_nothing(seconds: float):
    assert quantity_text(seconds, TIME) == "0 s"
    assert number_text(seconds, Scale(1e-3, 1e-3, "ms"), 1e-17) == "0"
    assert quantity_text(1e-9, TIME) == "1.00 ns"


@pytest.mark.parametrize(("value", "interval"), [(0.0, (0.0, 6e-13)), (2e-13, (0.0, 6e-13))])
def test_the_ends_of_an_interval_of_time_are_no_rounding_errors(value, interval):
    assert quantity_text(value, TIME, None, interval) == "0 s"
