import math
from collections.abc import Callable

import numpy as np
import pytest

from dcsim.study.paired_effect import PairedEffect, Pairs, paired_effect

NUM_CASES = 2_000
TRUE_RATIO, TRUE_DIFFERENCE = 1.3, -0.4


def sharing_noise_that_multiplies(rng: np.random.Generator, num: int) -> Pairs:
    shared = rng.lognormal(0.0, 1.0, num)
    return list(zip(TRUE_RATIO * shared * rng.lognormal(0.0, 0.2, num), shared, strict=True))


def sharing_noise_that_adds(rng: np.random.Generator, num: int) -> Pairs:
    shared = rng.normal(-50.0, 5.0, num)
    return list(zip(shared + TRUE_DIFFERENCE + rng.normal(0.0, 0.2, num), shared, strict=True))


def equal_but_for_noise_that_adds(rng: np.random.Generator, num: int) -> Pairs:
    shared = rng.normal(10.0, 2.0, num)
    return list(zip(shared + rng.normal(0.0, 0.5, num), shared + rng.normal(0.0, 0.5, num), strict=True))


def sharing_nothing(rng: np.random.Generator, num: int) -> Pairs:
    return list(zip(TRUE_RATIO * rng.lognormal(0.0, 0.5, num), rng.lognormal(0.0, 0.5, num), strict=True))


@pytest.mark.parametrize("num_replications", [2, 3, 10])
@pytest.mark.parametrize(
    ("draw", "truth"),
    [
        (sharing_noise_that_multiplies, math.log(TRUE_RATIO)),
        (sharing_noise_that_adds, TRUE_DIFFERENCE),
        (equal_but_for_noise_that_adds, 0.0),
        (sharing_nothing, math.log(TRUE_RATIO)),
    ],
)
def test_the_interval_holds_the_true_effect_in_95_of_100_cases(
    draw: Callable[[np.random.Generator, int], Pairs], truth: float, num_replications: int
):
    rng = np.random.default_rng(1)
    effects = [paired_effect(draw(rng, num_replications)) for _ in range(NUM_CASES)]
    held_frac = sum(abs(one.mean - truth) <= one.half_width for one in effects) / NUM_CASES
    three_standard_errors = 3.0 * math.sqrt(0.95 * 0.05 / NUM_CASES)
    assert held_frac == pytest.approx(0.95, abs=three_standard_errors)


def test_with_a_number_that_is_not_positive_effects_are_differences():
    assert paired_effect([(1.0, 0.0), (3.0, 0.0)]) == PairedEffect(
        2.0, pytest.approx(12.706, abs=1e-3), False
    )


def test_the_noise_of_a_ratio_reaches_from_the_upper_number_to_the_end_of_its_interval():
    effect = PairedEffect(1.0, math.log(4.0), is_log=True)
    assert effect.noise(100.0) == pytest.approx(75.0)
    assert PairedEffect(1.0, 0.5, is_log=False).noise(100.0) == 0.5
