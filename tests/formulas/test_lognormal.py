import math

import numpy as np
import pytest

from dcsim.formulas.lognormal import clipped_lognormal_mean


def test_far_limits_leave_the_mean_of_the_log_normal():
    assert clipped_lognormal_mean(20.0, 0.5, 1e-9, 1e9) == pytest.approx(20.0 * math.exp(0.125))


def test_clipping_gives_the_mean_of_clipped_draws():
    draws = 50.0 * np.exp(0.9 * np.random.default_rng(1).standard_normal(1_000_000))
    expected = np.clip(draws, 10.0, 200.0).mean()
    assert clipped_lognormal_mean(50.0, 0.9, 10.0, 200.0) == pytest.approx(expected, rel=3e-3)
