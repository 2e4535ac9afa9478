"""The log-normal distribution, clipped."""

from __future__ import annotations

import math
from statistics import NormalDist


def clipped_lognormal_mean(median: float, log_sd: float, low: float, high: float) -> float:
    """Mean of min(max(X, low), high), ln X ~ N(ln median, log_sd^2): the clipped masses and the middle.

    low Phi(z_l) + high (1 - Phi(z_h)) + median e^(s^2/2) (Phi(z_h - s) - Phi(z_l - s)), s being the log's
    standard deviation and z_x = ln(x / median) / s; Johnson, Kotz, Balakrishnan, Continuous Univariate
    Distributions 1, 1994, chapter 14 (partial moments).

    >>> clipped_lognormal_mean(50.0, 0.0, 1.0, 20.0)
    20.0
    """
    if log_sd == 0:
        return min(max(median, low), high)
    phi = NormalDist().cdf
    z_low, z_high = math.log(low / median) / log_sd, math.log(high / median) / log_sd
    middle = median * math.exp(log_sd**2 / 2) * (phi(z_high - log_sd) - phi(z_low - log_sd))
    return low * phi(z_low) + high * (1.0 - phi(z_high)) + middle
