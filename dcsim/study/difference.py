"""The difference between a number of one run and that of another, and how far to believe it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from dcsim.result import Estimate


class Significance(StrEnum):
    """What a difference stands out from."""

    WITHIN_NOISE = "within_noise"
    BEYOND_NOISE = "beyond_noise"
    CLEAR = "clear"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Difference:
    """A number less the one that it is held against; ``relative_frac`` is None where that is zero."""

    absolute: float
    relative_frac: float | None
    significance: Significance


def difference(number: Estimate, baseline: Estimate) -> Difference:
    """The difference of two estimates.

    Its significance, d being the difference and h the half-widths over replications:

    - ``WITHIN_NOISE``: abs(d) <= sqrt(h1^2 + h2^2), or d = 0;
    - ``BEYOND_NOISE``: more than that, the noise of the two taken as independent. Runs with the same seed and
      traffic share their requests, so that some of it cancels, and this too is conservative;
    - ``CLEAR``: beyond the noise, and beyond what is not known of the calibration: d also exceeds
      sqrt(a^2 + b^2), where a and b are the lengths of the two prediction intervals on the sides that face
      each other, taken as independent. The calibration errors of two runs on the same device are in fact
      shared and move both numbers alike, so CLEAR is conservative there;
    - ``UNKNOWN``: a half-width is missing (a run too short for one), so the noise is not known.

    Where only a prediction interval is missing, BEYOND_NOISE is the most that can be said.

    >>> difference(Estimate(3.0, 0.1, (2.5, 3.5)), Estimate(1.0, 0.1, (0.5, 1.5)))
    Difference(absolute=2.0, relative_frac=2.0, significance=<Significance.CLEAR: 'clear'>)
    """
    absolute = number.value - baseline.value
    relative_frac = absolute / abs(baseline.value) if baseline.value else None
    if relative_frac is not None and not math.isfinite(relative_frac):
        relative_frac = None
    return Difference(absolute, relative_frac, _significance(number, baseline))


def _significance(number: Estimate, baseline: Estimate) -> Significance:
    size = abs(number.value - baseline.value)
    if size == 0.0:
        return Significance.WITHIN_NOISE
    if number.half_width is None or baseline.half_width is None:
        return Significance.UNKNOWN
    if size <= math.hypot(number.half_width, baseline.half_width):
        return Significance.WITHIN_NOISE
    upper, lower = (number, baseline) if number.value > baseline.value else (baseline, number)
    if upper.prediction is None or lower.prediction is None:
        return Significance.BEYOND_NOISE
    reach = math.hypot(upper.value - upper.prediction[0], lower.prediction[1] - lower.value)
    return Significance.CLEAR if size > reach else Significance.BEYOND_NOISE
