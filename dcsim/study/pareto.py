"""The Pareto front: the points that no other point beats."""

from __future__ import annotations

from collections.abc import Sequence


def dominates(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether a point is lower than another in one coordinate and higher in none.

    >>> dominates((1.0, 2.0), (1.0, 3.0)), dominates((1.0, 2.0), (1.0, 2.0))
    (True, False)
    """
    pairs = list(zip(one, other, strict=True))
    return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)


def pareto_front(points: Sequence[Sequence[float]]) -> tuple[bool, ...]:
    """For each point whether it is on the front, all coordinates being better when lower; equal points stay.

    >>> pareto_front([(1.0, 3.0), (2.0, 2.0), (2.0, 4.0)])
    (True, True, False)
    """
    return tuple(not any(dominates(other, point) for other in points) for point in points)
