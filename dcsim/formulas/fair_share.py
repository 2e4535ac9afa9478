"""Fair shares of one resource among users that cannot all use as much as they would get."""

from __future__ import annotations

from collections.abc import Sequence


def fair_shares(weights: Sequence[float], limits: Sequence[float], capacity: float = 1.0) -> list[float]:
    """Weighted max-min shares of one resource: x_i = min(limit_i, w_i theta) with sum x_i = capacity.

    Progressive filling (Bertsekas and Gallager, Data Networks, 2nd ed., 1992, section 6.5.2) of a single
    resource: all shares rise together in proportion to their weights until a user has all it can use; what
    it leaves goes to the others. If all limits together stay below the capacity each gets its limit. Exact;
    O(n log n).

    >>> fair_shares([1.0, 1.0, 2.0], [0.25, 1.0, 1.0])
    [0.25, 0.25, 0.5]
    """
    shares = [0.0] * len(weights)
    left, weight_left = capacity, sum(weights)
    for user in sorted(range(len(weights)), key=lambda one: limits[one] / weights[one]):
        shares[user] = min(limits[user], left * weights[user] / weight_left)
        left = max(0.0, left - shares[user])
        weight_left -= weights[user]
        if weight_left <= 0.0:
            break
    return shares
