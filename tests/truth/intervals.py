"""Confidence intervals over independent replications, for tests whose truth is a mean."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean, stdev

# Student's t for a two-sided 99 % interval, by degrees of freedom.
T_99 = {4: 4.604, 5: 4.032, 6: 3.707, 7: 3.499, 8: 3.355, 9: 3.250}


def half_width(values: Sequence[float]) -> float:
    """Half the width of the 99 % interval of the mean of independent replications."""
    return T_99[len(values) - 1] * stdev(values) / len(values) ** 0.5


def assert_mean_is(expected: float, values: Sequence[float], *, tightness: float) -> None:
    """The interval of the replications holds the expected mean, and is tight enough to say something."""
    width = half_width(values)
    assert width < tightness * expected, f"{len(values)} replications say too little: +-{width}"
    assert abs(fmean(values) - expected) <= width, f"{fmean(values)} +- {width} is not {expected}"
