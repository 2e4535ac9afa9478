"""Stragglers: a synchronous step waits for the slowest of many ranks."""

from __future__ import annotations

import math


def expected_maximum_frac(jitter_frac: float, num_ranks: int) -> float:
    """By how much the slowest of ``num_ranks`` exceeds the mean, as a share of it: sigma sqrt(2 ln N).

    The leading term of the expected maximum of N independent normal deviates (H. Cramer, "Mathematical
    Methods of Statistics", 1946, section 28.6): an upper bound for every N, 15 % high at 1000.

    >>> round(expected_maximum_frac(0.01, 1000), 4)
    0.0372
    """
    return jitter_frac * math.sqrt(2.0 * math.log(num_ranks)) if num_ranks > 1 else 0.0
