"""The difference between a number of one run and that of another, and how far to believe it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from dcsim.result import Estimate
from dcsim.study.paired_effect import ROUNDING_FRAC, Pairs, paired_effect

_BOUNDS = (0.0, 1.0)  # prediction intervals end there: nothing is below none, and no share above all
_CUT_FRAC = 1.0 - 1e-9  # an interval shorter than the noise that it holds, rounding aside, was cut off


class Significance(StrEnum):
    """What a difference stands out from."""

    WITHIN_NOISE = "within_noise"
    BEYOND_NOISE = "beyond_noise"
    CLEAR = "clear"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Difference:
    """A number less the one that it is held against; ``relative_frac`` is None where that is zero.

    ``is_paired``: its noise was told replication by replication, of runs that saw the same requests.
    """

    absolute: float
    relative_frac: float | None
    significance: Significance
    is_paired: bool = False


def difference(number: Estimate, baseline: Estimate, pairs: Pairs | None = None) -> Difference:
    """The difference of two estimates; of paired runs with both numbers in each replication.

    Its significance, d being the difference and h the half-widths over replications:

    - ``WITHIN_NOISE``: abs(d) <= sqrt(h1^2 + h2^2), or d = 0. If paired, where the interval of
      ``paired_effect`` holds no effect;
    - ``BEYOND_NOISE``: more than that. Unpaired, the noise of the two is taken as independent;
    - ``CLEAR``: beyond the noise, and beyond what is not known of the calibration: d also exceeds
      sqrt(a^2 + b^2), where a and b are the lengths of the two prediction intervals on the sides that face
      each other. If paired, it exceeds sqrt(p^2 + u^2 + v^2): p the paired noise, u and v what the
      calibration has of a and b (see ``calibration_reach``). Calibrations are taken as independent. Their
      errors of two runs on the same device are in fact shared, so CLEAR is conservative there;
    - ``UNKNOWN``: a half-width is missing (a run too short for one), so the noise is not known.

    Where only a prediction interval is missing, BEYOND_NOISE is the most that can be said.

    >>> difference(Estimate(3.0, 0.1, (2.5, 3.5)), Estimate(1.0, 0.1, (0.5, 1.5)))
    Difference(absolute=2.0, relative_frac=2.0, significance=<Significance.CLEAR: 'clear'>, is_paired=False)
    """
    absolute = number.value - baseline.value
    relative_frac = absolute / abs(baseline.value) if baseline.value else None
    if relative_frac is not None and not math.isfinite(relative_frac):
        relative_frac = None
    return Difference(absolute, relative_frac, _significance(number, baseline, pairs), pairs is not None)


def _significance(number: Estimate, baseline: Estimate, pairs: Pairs | None) -> Significance:
    size = abs(number.value - baseline.value)
    if size <= ROUNDING_FRAC * max(abs(number.value), abs(baseline.value)):
        return Significance.WITHIN_NOISE
    if number.value > baseline.value:
        upper, lower = number, baseline
    else:
        upper, lower = baseline, number
        pairs = None if pairs is None else [(other, one) for one, other in pairs]
    return _independent(upper, lower) if pairs is None else _paired(upper, lower, pairs)


def _independent(upper: Estimate, lower: Estimate) -> Significance:
    """The significance where the noise of the two numbers is taken as independent."""
    size = upper.value - lower.value
    if upper.half_width is None or lower.half_width is None:
        return Significance.UNKNOWN
    if size <= math.hypot(upper.half_width, lower.half_width):
        return Significance.WITHIN_NOISE
    if upper.prediction is None or lower.prediction is None:
        return Significance.BEYOND_NOISE
    reach = math.hypot(upper.value - upper.prediction[0], lower.prediction[1] - lower.value)
    return Significance.CLEAR if size > reach else Significance.BEYOND_NOISE


def _paired(upper: Estimate, lower: Estimate, pairs: Pairs) -> Significance:
    """The significance where the two numbers share their noise."""
    effect = paired_effect(pairs)
    if effect.mean <= effect.half_width:
        return Significance.WITHIN_NOISE
    if upper.prediction is None or lower.prediction is None:
        return Significance.BEYOND_NOISE
    down = calibration_reach(upper, upper.prediction[0])
    up = calibration_reach(lower, lower.prediction[1])
    reach = math.hypot(effect.noise(upper.value), down, up)
    return Significance.CLEAR if upper.value - lower.value > reach else Significance.BEYOND_NOISE


def calibration_reach(number: Estimate, end: float) -> float:
    """How far the calibration alone reaches from a number towards an end of its prediction interval.

    The end is sqrt(c^2 + h^2) away from the number, c being the reach sought and h the half-width over
    replications, both in the number's own unit (see ``metrics.prediction``): c^2 is what is left without h^2.
    Where the end was cut off (at 0, at 1, goodput at what is offered), that is too little: all of it counts.

    >>> calibration_reach(Estimate(10.0, 3.0), 5.0)
    4.0
    """
    reach = abs(number.value - end)
    if number.half_width is None or end in _BOUNDS or reach < _CUT_FRAC * number.half_width:
        return reach
    rest = (reach - number.half_width) * (reach + number.half_width)
    return math.sqrt(max(rest, 0.0))
