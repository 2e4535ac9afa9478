"""Max-min shares of one resource, against the definition and against a twin that fills drop by drop."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcsim.formulas.fair_share import fair_shares

USERS = st.lists(st.tuples(st.integers(1, 9), st.integers(1, 40)), min_size=1, max_size=8)


def filled_in_fractions(weights: list[int], limits: list[Fraction]) -> list[Fraction]:
    """Progressive filling as its definition says: raise all, freeze who is full, until nothing is left."""
    shares = [Fraction(0)] * len(weights)
    rising = set(range(len(weights)))
    left = Fraction(1)
    while rising and left > 0:
        weight = sum(weights[user] for user in rising)
        rise = min([left / weight, *((limits[user] - shares[user]) / weights[user] for user in rising)])
        for user in rising:
            shares[user] += rise * weights[user]
        left -= rise * weight
        rising = {user for user in rising if shares[user] < limits[user]}
    return shares


@given(USERS)
def test_shares_are_those_of_progressive_filling(users: list[tuple[int, int]]) -> None:
    weights, limits = [weight for weight, _ in users], [Fraction(limit, 40) for _, limit in users]
    expected = filled_in_fractions(weights, limits)
    assert fair_shares(weights, [float(limit) for limit in limits]) == pytest.approx(
        [float(share) for share in expected], abs=1e-12
    )


@given(USERS)
def test_nobody_gets_more_than_it_can_use_and_nothing_is_left_that_somebody_could(
    users: list[tuple[int, int]],
) -> None:
    weights, limits = [float(weight) for weight, _ in users], [limit / 40 for _, limit in users]
    shares = fair_shares(weights, limits)
    assert all(share <= limit + 1e-12 for share, limit in zip(shares, limits, strict=True))
    assert sum(shares) == pytest.approx(min(1.0, sum(limits)))


def test_equal_users_share_equally() -> None:
    assert fair_shares([1.0] * 4, [1.0] * 4) == pytest.approx([0.25] * 4)


def test_nobody_shares_nothing() -> None:
    assert fair_shares([], []) == []
