"""Measured curves: they run through what was measured and never overshoot it."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcsim.formulas.network.collective_curve import collective_curve, neighbours

POINTS = st.dictionaries(
    st.integers(0, 40).map(lambda octave: 2.0**octave), st.floats(1e-6, 1e2), min_size=2, max_size=12
)


@given(POINTS)
def test_a_curve_runs_through_what_was_measured_or_the_slower_smaller_message(
    times_s: dict[float, float],
) -> None:
    curve = collective_curve(8, 8, times_s)
    for size in times_s:
        slowest = max(time for other, time in times_s.items() if other <= size)
        assert curve.time_s(size) == pytest.approx(slowest, rel=1e-9)


@given(POINTS, st.floats(0.0, 41.0), st.floats(0.0, 5.0))
def test_more_bytes_take_no_less_time(times_s: dict[float, float], octave: float, more: float) -> None:
    curve = collective_curve(8, 8, times_s)
    assert curve.time_s(2.0 ** (octave + more)) >= curve.time_s(2.0**octave) * (1 - 1e-12)


@given(POINTS, st.floats(-2.0, 45.0))
def test_between_two_sizes_the_time_lies_between_their_times(
    times_s: dict[float, float], octave: float
) -> None:
    curve = collective_curve(8, 8, times_s)
    assert min(times_s.values()) * (1 - 1e-9) <= curve.time_s(2.0**octave)
    assert curve.time_s(2.0**octave) <= max(times_s.values()) * (1 + 1e-9)


@given(st.floats(0.1, 2.0), st.floats(0.0, 30.0))
def test_a_power_law_is_met_everywhere(exponent: float, octave: float) -> None:
    times_s = {2.0**size: 1e-6 * 2.0 ** (exponent * size) for size in (0, 1, 4, 11, 30)}
    expected = 1e-6 * 2.0 ** (exponent * octave)
    assert collective_curve(8, 8, times_s).time_s(2.0**octave) == pytest.approx(expected, rel=1e-9)


def test_a_latency_and_a_bandwidth_are_met_between_octaves_to_a_percent() -> None:
    times_s = {2.0**octave: 20e-6 + 2.0**octave / 100e9 for octave in range(10, 34)}
    curve = collective_curve(8, 8, times_s)
    for octave in range(10, 33):
        size = 2.0 ** (octave + 0.5)
        assert curve.time_s(size) == pytest.approx(20e-6 + size / 100e9, rel=0.01)


def test_sizes_outside_the_curve_have_a_nearest_one() -> None:
    curve = collective_curve(8, 8, {1e3: 1e-5, 1e6: 1e-4})
    assert curve.nearest_bytes(1.0) == pytest.approx(1e3)
    assert curve.nearest_bytes(1e9) == pytest.approx(1e6)
    assert curve.nearest_bytes(12345.0) == 12345.0


@given(st.integers(1, 5000))
def test_neighbours_are_on_both_sides_and_shares_are_in_octaves(wanted: int) -> None:
    values = (2, 8, 64, 1024)
    low, high, share = neighbours(values, wanted)
    assert 0.0 <= share < 1.0
    if values[0] <= wanted <= values[-1]:
        between = (1 - share) * math.log(values[low]) + share * math.log(values[high])
        assert between == pytest.approx(math.log(wanted))
    else:
        assert values[low] == values[high] == min(values, key=lambda one: abs(math.log(one / wanted)))
