"""Estimation: Student's t, half-widths, batch means and percentiles, weighted or with unknown tails."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

CONFIDENCE_FRAC = 0.95


def student_t_quantile(probability: float, num_degrees: float) -> float:
    """Quantile of Student's t: the t with P(T <= t) = ``probability``, for 1 or more degrees of freedom.

    G. W. Hill, "Algorithm 396: Student's t-quantiles", Comm. ACM 13(10), 619-620, 1970: exact for one and
    two degrees, otherwise an asymptotic expansion about the normal, good to about six digits near the usual
    levels.

    >>> round(student_t_quantile(0.975, 2), 3)
    4.303
    """
    if not 0.0 < probability < 1.0:
        raise ValueError(f"probability must lie between 0 and 1, got {probability}")
    if num_degrees < 1:
        raise ValueError(f"num_degrees must be at least 1, got {num_degrees}")
    if probability < 0.5:
        return -student_t_quantile(1.0 - probability, num_degrees)
    two_tails = 2.0 * (1.0 - probability)
    if num_degrees == 1:
        return 1.0 / math.tan(two_tails * math.pi / 2.0)
    if num_degrees == 2:
        return math.sqrt(2.0 / (two_tails * (2.0 - two_tails)) - 2.0)
    return _hill_expansion(two_tails, num_degrees)


def _hill_expansion(two_tails: float, n: float) -> float:
    """Hill's expansion; the letters are those of the published algorithm."""
    a = 1.0 / (n - 0.5)
    b = 48.0 / a**2
    c = ((20700.0 * a / b - 98.0) * a - 16.0) * a + 96.36
    d = ((94.5 / (b + c) - 3.0) / b + 1.0) * math.sqrt(a * math.pi / 2.0) * n
    x = d * two_tails
    y = x ** (2.0 / n)
    if y > 0.05 + a:
        x = NormalDist().inv_cdf(two_tails / 2.0)
        y = x * x
        if n < 5:
            c += 0.3 * (n - 4.5) * (x + 0.6)
        c = (((0.05 * d * x - 5.0) * x - 7.0) * x - 2.0) * x + b + c
        y = (((((0.4 * y + 6.3) * y + 36.0) * y + 94.5) / c - y - 3.0) / b + 1.0) * x
        y = math.expm1(a * y * y)
    else:
        y = (
            (1.0 / (((n + 6.0) / (n * y) - 0.089 * d - 0.822) * (n + 2.0) * 3.0) + 0.5 / (n + 4.0)) * y - 1.0
        ) * (n + 1.0) / (n + 2.0) + 1.0 / y
    return math.sqrt(n * y)


def half_width(values: Sequence[float], confidence_frac: float = CONFIDENCE_FRAC) -> float | None:
    """Half-width of the t interval of the mean of independent values; None for fewer than two.

    t_{(1+confidence)/2, n-1} s / sqrt(n). Values are replications, or batch means: time-ordered batches long
    enough to be nearly independent (P. W. Glynn and E. Lim, "Asymptotic Validity of Batch Means Steady-State
    Confidence Intervals", 2009).

    >>> round(half_width([1.0, 3.0]), 3)
    12.706
    """
    if len(values) < 2:
        return None
    # fsum: equal values must give exactly zero, whatever their number
    mean = math.fsum(values) / len(values)
    variance = math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)
    quantile = student_t_quantile((1.0 + confidence_frac) / 2.0, len(values) - 1)
    return quantile * math.sqrt(variance / len(values))


def percentile(
    values: npt.NDArray[np.float64], quantiles: Sequence[float], num_beyond: int = 0
) -> list[float | None]:
    """Percentiles of values of which ``num_beyond`` more are known only to be larger than all of them.

    Linear between order statistics at rank q (n - 1), n counting those beyond; None where the rank falls
    among them: their values are unknown, and leaving them out would flatter the result.

    >>> percentile(np.array([1.0, 2.0, 3.0]), [0.5])
    [2.0]
    """
    num_known = len(values)
    if num_known == 0:
        return [None for _ in quantiles]
    ranks = [quantile * (num_known + num_beyond - 1) for quantile in quantiles]
    wanted = sorted({min(int(rank) + up, num_known - 1) for rank in ranks for up in (0, 1)})
    ordered = np.partition(values, wanted)
    return [_at_rank(ordered, rank) for rank in ranks]


def _at_rank(ordered: npt.NDArray[np.float64], rank: float) -> float | None:
    low = int(rank)
    frac = rank - low
    if low >= len(ordered) or (frac > 0.0 and low + 1 >= len(ordered)):
        return None
    if frac == 0.0:
        return float(ordered[low])
    return float(ordered[low] + frac * (ordered[low + 1] - ordered[low]))


def weighted_percentile(
    values: npt.NDArray[np.float64], weights: npt.NDArray[np.float64], quantiles: Sequence[float]
) -> list[float | None]:
    """Smallest value at which the cumulative weight reaches the share q of the whole.

    With whole weights it is the order statistic of the values each repeated so often: rank ceil(q n).
    None where there is no weight.

    >>> weighted_percentile(np.array([1.0, 2.0]), np.array([9.0, 1.0]), [0.5, 0.95])
    [1.0, 2.0]
    """
    total = float(weights.sum())
    if total <= 0.0:
        return [None for _ in quantiles]
    order = np.argsort(values, kind="stable")
    cumulative = np.cumsum(weights[order])
    # the slack keeps 0.95 of 20 at rank 19 in spite of rounding
    slack = 1e-12 * total
    at = [int(np.searchsorted(cumulative, quantile * total - slack)) for quantile in quantiles]
    return [float(values[order[min(index, len(values) - 1)]]) for index in at]
