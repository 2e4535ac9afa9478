"""Closed forms of reliability against published values, simulation and each other."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcsim.formulas.reliability import (
    CheckpointTimes,
    daly_interval_s,
    down_probabilities,
    lost_per_failure_s,
    mttf_s,
    num_spares_for,
    optimal_interval_s,
    productive_share,
    productive_share_of_renewals,
    time_to_save_s,
    weibull_scale_s,
    young_interval_s,
)

HOUR_S = 3600.0


@pytest.mark.parametrize(
    ("mttf_h", "interval_min", "stall_s", "restart_min", "expected"),
    [
        (3.09, 60, 30, 10, 0.795),
        (3.09, 30, 30, 10, 0.857),
        (3.09, 10, 5, 10, 0.914),
        (1.80, 60, 60, 12.5, 0.652),
        (0.23, 2, 2, 2, 0.790),
        (0.23, 10, 10, 10, 0.322),
        (47.7 * 24, 60, 60, 12.5, 0.983),
    ],
)
def test_dalys_complete_form(
    mttf_h: float, interval_min: float, stall_s: float, restart_min: float, expected: float
) -> None:
    times = CheckpointTimes(stall_s, 60 * restart_min)
    assert productive_share(60 * interval_min, mttf_h * HOUR_S, times) == pytest.approx(expected, abs=6e-4)


def test_scaling_by_nodes_alone_is_too_hopeful_for_small_jobs() -> None:
    """Meta RSC-1 (arXiv:2410.21680): 6.5 failures per 1,000 node-days; 1,024 GPUs failed every 7.9 h."""
    rate_per_s = 6.5 / (1000 * 24 * HOUR_S)
    assert mttf_s([(rate_per_s, 2048)]) == pytest.approx(1.8 * HOUR_S, rel=0.02)
    assert mttf_s([(rate_per_s, 128)]) / (7.9 * HOUR_S) == pytest.approx(3.6, abs=0.1)


positive = st.floats(1.0, 1e5)


@given(positive, positive, st.floats(0.0, 1e3), st.floats(0.0, 1e3), st.floats(0.0, 1e3))
def test_a_gap_between_failures_is_restart_saved_work_and_lost_work(
    interval_s: float, mean_s: float, stall_s: float, restart_s: float, drain_s: float
) -> None:
    times = CheckpointTimes(stall_s, restart_s, drain_s)
    share = productive_share(interval_s, mean_s, times)
    restarting_s = mean_s * -math.expm1(-restart_s / mean_s)
    saved_s = share * mean_s * (1 + stall_s / interval_s)
    assert restarting_s + saved_s + lost_per_failure_s(interval_s, mean_s, times) == pytest.approx(mean_s)
    assert 0 <= share <= interval_s / (interval_s + stall_s)


@given(st.floats(0.01, 1e4), st.floats(1.0, 1e7))
def test_no_other_interval_is_better_than_the_optimal_one(stall_s: float, mean_s: float) -> None:
    best_s = optimal_interval_s(stall_s, mean_s)
    times = CheckpointTimes(stall_s, restart_s=0.0)
    best = productive_share(best_s, mean_s, times)
    for factor in (0.5, 0.9, 0.99, 1.01, 1.1, 2.0):
        assert productive_share(factor * best_s, mean_s, times) <= best * (1 + 1e-12)


def test_young_and_daly_approach_the_optimal_interval_where_stalls_are_short() -> None:
    for ratio, young_error, daly_error in ((1e-2, 0.05, 1e-3), (1e-4, 0.006, 1e-5)):
        best_s = optimal_interval_s(ratio * 1e4, 1e4)
        assert young_interval_s(ratio * 1e4, 1e4) == pytest.approx(best_s, rel=young_error)
        assert daly_interval_s(ratio * 1e4, 1e4) == pytest.approx(best_s, rel=daly_error)
    assert optimal_interval_s(5.0, math.inf) == math.inf
    assert optimal_interval_s(0.0, 1e4) == 0.0
    assert daly_interval_s(3e4, 1e4) == 1e4


def test_a_checkpoint_that_never_gets_done_takes_for_ever() -> None:
    assert time_to_save_s(1e6, 1.0, CheckpointTimes(5.0, 0.0)) == math.inf
    assert productive_share(1e6, 1.0, CheckpointTimes(5.0, 0.0)) == 0.0


def test_exponential_renewals_are_dalys_form_and_regular_failures_are_not() -> None:
    times, mean_s = CheckpointTimes(5.0, 60.0), 5_000.0
    exponential = productive_share_of_renewals(600.0, mean_s, times, lambda y: math.exp(-y / mean_s))
    assert exponential == pytest.approx(productive_share(600.0, mean_s, times))
    regular = productive_share_of_renewals(600.0, mean_s, times, lambda y: float(y <= mean_s))
    assert regular == pytest.approx(8 * 600.0 / mean_s)  # (5000 - 60) / 605 = 8.2 whole intervals


def test_spares_cover_the_poisson_number_in_repair() -> None:
    rng = np.random.default_rng(1)
    in_repair = rng.poisson(7.5, 100_000)
    num = num_spares_for(7.5 / HOUR_S, HOUR_S, 0.99)
    assert np.mean(in_repair < num) >= 0.99 > np.mean(in_repair < num - 1)
    assert num_spares_for(1.0, 10_000.0, 0.99) == pytest.approx(10_000 + 2.326 * 100, abs=3)
    assert num_spares_for(0.0, HOUR_S, 0.99) == 1


def test_units_in_repair_are_binomial_with_crews_for_all_and_a_queue_with_one() -> None:
    availability = 100.0 / 110.0
    many = down_probabilities(5, 0, 0.01, 10.0, 5)
    binomial = [math.comb(5, k) * (1 - availability) ** k * availability ** (5 - k) for k in range(6)]
    assert many == pytest.approx(binomial)
    one = down_probabilities(5, 0, 0.01, 10.0, 1)
    assert sum(one) == pytest.approx(1.0)
    assert one[0] < many[0]


@given(st.floats(0.3, 5.0))
def test_the_scale_of_a_weibull_law_gives_its_mean(shape: float) -> None:
    ages = np.linspace(0, 1, 20_001)[1:-1]
    mean = np.mean(weibull_scale_s(1.0, shape) * (-np.log(ages)) ** (1 / shape))
    assert mean == pytest.approx(1.0, rel=0.02)
