"""Measured collectives: time over message size for a number of ranks, interpolated in logarithms."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise


@dataclass(frozen=True, slots=True, eq=False)
class CollectiveCurve:
    """Time over message size, both as logarithms, of one collective among ``num_ranks`` ranks.

    Between the measured sizes runs a cubic without overshoot; outside them there is no value.
    """

    num_ranks: int
    ranks_per_domain: int
    log_bytes: tuple[float, ...]
    log_s: tuple[float, ...]
    slopes: tuple[float, ...]

    @property
    def num_domains(self) -> int:
        """Scale-up domains that the ranks lie in."""
        return -(-self.num_ranks // self.ranks_per_domain)

    def nearest_bytes(self, num_bytes: float) -> float:
        """The size itself, or the smallest or largest measured one where it lies outside them."""
        return min(max(num_bytes, math.exp(self.log_bytes[0])), math.exp(self.log_bytes[-1]))

    def time_s(self, num_bytes: float) -> float:
        """Time of a message, which must lie within the measured sizes; at their ends beyond them.

        A cubic Hermite spline with the slopes of Fritsch and Butland ("A method for constructing local
        monotone piecewise cubic interpolants", SIAM J. Sci. Stat. Comput. 5(2), 1984): it rises where the
        measured times rise.
        """
        knots, values, slopes = self.log_bytes, self.log_s, self.slopes
        at = min(max(math.log(num_bytes), knots[0]), knots[-1])
        below = min(bisect_right(knots, at) - 1, len(knots) - 2)
        width = knots[below + 1] - knots[below]
        t = (at - knots[below]) / width
        u = 1.0 - t
        left = u * u * ((1.0 + 2.0 * t) * values[below] + t * width * slopes[below])
        right = t * t * ((1.0 + 2.0 * u) * values[below + 1] - u * width * slopes[below + 1])
        return math.exp(left + right)


def collective_curve(
    num_ranks: int, ranks_per_domain: int, times_s: Mapping[float, float]
) -> CollectiveCurve:
    """The curve through measured times by size in bytes, two sizes or more.

    A measured time below that of a smaller message is noise, and is raised to it.

    >>> round(collective_curve(8, 8, {1e6: 1e-5, 1e8: 1e-3}).time_s(1e7), 9)
    0.0001
    """
    log_bytes = tuple(math.log(size) for size in sorted(times_s))
    log_s = tuple(accumulate((math.log(times_s[size]) for size in sorted(times_s)), max))
    return CollectiveCurve(num_ranks, ranks_per_domain, log_bytes, log_s, _slopes(log_bytes, log_s))


def _slopes(knots: Sequence[float], values: Sequence[float]) -> tuple[float, ...]:
    """Slopes at the knots: a weighted harmonic mean of those beside it, none at a turn or a plateau."""
    widths = [high - low for low, high in pairwise(knots)]
    secants = [(high - low) / width for (low, high), width in zip(pairwise(values), widths, strict=True)]
    inner = [
        _harmonic_mean(secants[i], secants[i + 1], widths[i], widths[i + 1]) for i in range(len(secants) - 1)
    ]
    return (secants[0], *inner, secants[-1])


def _harmonic_mean(before: float, after: float, width_before: float, width_after: float) -> float:
    if before * after <= 0.0:
        return 0.0
    near, far = 2.0 * width_after + width_before, width_after + 2.0 * width_before
    return (near + far) / (near / before + far / after)


@dataclass(frozen=True, slots=True, eq=False)
class CollectiveCurves:
    """The measured curves of one network, by name of the collective; each list ascends.

    ``inside`` are of groups within one scale-up domain, ascending in ranks; ``spanning`` of groups over
    several domains, ascending in domains.
    """

    inside: Mapping[str, tuple[CollectiveCurve, ...]]
    spanning: Mapping[str, tuple[CollectiveCurve, ...]]


def neighbours(values: Sequence[int], wanted: int) -> tuple[int, int, float]:
    """Places of the values on both sides of the one that is wanted, and its share of the way in octaves.

    >>> neighbours((2, 8), 4)
    (0, 1, 0.5)
    >>> neighbours((2, 8), 16)
    (1, 1, 0.0)
    """
    above = bisect_right(values, wanted)
    if above == 0:
        return 0, 0, 0.0
    if above == len(values) or values[above - 1] == wanted:
        return above - 1, above - 1, 0.0
    low, high = values[above - 1], values[above]
    return above - 1, above, math.log(wanted / low) / math.log(high / low)
