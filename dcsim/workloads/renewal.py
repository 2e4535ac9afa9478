"""Instants from gaps: the sum that all renewal processes share."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

CHUNK_LENGTH = 16_384  # gaps drawn at a time: fixed, so that limits never change the instants themselves


def renewal_instants(
    draw_gaps: Callable[[], npt.NDArray[np.float64]], duration_s: float, max_requests: int | None
) -> npt.NDArray[np.float64]:
    """Running sums of successive gaps, from 0, cut at the limits.

    ``draw_gaps`` returns the next few gaps, at least one; they must not all be zero for ever.
    """
    require_end(duration_s, max_requests)
    chunks = []
    num_instants, last_at_s = 0, 0.0
    while last_at_s < duration_s and (max_requests is None or num_instants < max_requests):
        chunk = last_at_s + np.cumsum(draw_gaps())
        chunks.append(chunk)
        num_instants += len(chunk)
        last_at_s = float(chunk[-1])
    return cut(np.concatenate([np.empty(0), *chunks]), duration_s, max_requests)


def require_end(duration_s: float, max_requests: int | None) -> None:
    """Raise ValueError for arrivals that would never end."""
    if max_requests is None and not math.isfinite(duration_s):
        raise ValueError("arrivals without an end: give a finite duration or a number of requests")


def cut(
    instants: npt.NDArray[np.float64], duration_s: float, max_requests: int | None
) -> npt.NDArray[np.float64]:
    """The sorted instants before ``duration_s``, at most ``max_requests`` of them."""
    num_before_end = int(np.searchsorted(instants, duration_s, side="left"))
    return instants[:num_before_end][:max_requests]
