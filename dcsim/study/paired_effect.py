"""What sets a number of two paired runs apart, replication by replication."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from dcsim.formulas.estimation import half_width

ROUNDING_FRAC = 1e-12  # numbers this close are the same, summed in another order

Pairs = Sequence[tuple[float, float]]  # a number of two runs in each replication


@dataclass(frozen=True, slots=True)
class PairedEffect:
    """The mean effect over replications and the half-width of its 95 % interval.

    ``is_log``: the effects are logarithms of ratios, otherwise differences.
    """

    mean: float
    half_width: float
    is_log: bool

    def noise(self, upper: float) -> float:
        """How far noise reaches down from the upper of the two numbers, in its own unit."""
        return -upper * math.expm1(-self.half_width) if self.is_log else self.half_width


def paired_effect(pairs: Pairs) -> PairedEffect:
    """The effect of the first number of each pair over the second, of two or more replications.

    The paired-t interval: mean of the effects +/- t_{0.975, n-1} s / sqrt(n), s their standard deviation
    (A. M. Law, "Simulation Modeling and Analysis", 5th ed. 2015, chapters "Comparing Alternative System
    Configurations" and "Variance-Reduction Techniques"). It holds whether or not the two share their random
    numbers, and is the narrower the more noise they share. Replications must be independent of one another
    and their effects about normal.

    Effects are logarithms of ratios where all numbers are positive: what the load does to a cost or a latency
    multiplies it, and cancels in ratios only. Elsewhere they are differences, as where these are all equal.

    >>> paired_effect([(2.0, 1.0), (4.0, 2.0)])
    PairedEffect(mean=0.6931471805599453, half_width=0.0, is_log=True)
    """
    differences = [one - other for one, other in pairs]
    largest = max(max(map(abs, pair)) for pair in pairs)
    are_equal = max(differences) - min(differences) <= ROUNDING_FRAC * largest
    is_log = not are_equal and all(min(pair) > 0.0 for pair in pairs)
    effects = [math.log(one) - math.log(other) for one, other in pairs] if is_log else differences
    width = half_width(effects)
    assert width is not None
    return PairedEffect(math.fsum(effects) / len(effects), width, is_log)
