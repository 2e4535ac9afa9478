"""Routings: even, deterministic choices among ways of equal cost."""

from __future__ import annotations

import numpy as np

from dcsim.policies.routing import Crossroads
from dcsim.policies.routings.ecmp import Ecmp
from dcsim.policies.routings.spray import Spray
from dcsim.policies.routings.static import Static


def crossroads(num_flows: int, num_choices: int, stride: int = 1, path: int = 0) -> Crossroads:
    numbers = np.arange(num_flows)
    same = np.ones(num_flows, dtype=np.int64)
    return Crossroads(numbers, numbers * 7 % 1000, path * same, 5 * same, num_choices * same, stride * same)


def test_ecmp_takes_every_way_equally_often() -> None:
    _, picks = Ecmp().branches(crossroads(8000, 8))
    counts = np.bincount(picks, minlength=8)
    assert ((counts - 1000) ** 2 / 1000).sum() < 24.32  # 0.999 quantile of chi-squared, seven degrees


def test_ecmp_sends_queue_pairs_and_switches_different_ways() -> None:
    first, second = (Ecmp().branches(crossroads(8000, 8, path=path))[1] for path in (0, 1))
    share = (first == second).mean()
    assert abs(share - 1 / 8) < 3.3 * np.sqrt(1 / 8 * 7 / 8 / 8000)  # 0.999 of the normal distribution


def test_ecmp_is_the_same_in_every_process() -> None:
    """Recorded: the hash is arithmetic on the numbers of vertices alone, not Python's salted one."""
    assert Ecmp().branches(crossroads(8, 16))[1].tolist() == [10, 10, 2, 11, 1, 8, 0, 12]


def test_static_takes_turns_by_destination_and_at_the_next_crossroads_by_the_quotient() -> None:
    same = np.zeros(16, dtype=np.int64)
    destinations, fours = np.arange(16), np.full(16, 4)
    lower = Crossroads(same, destinations, same, same, fours, np.ones(16, dtype=np.int64))
    upper = Crossroads(same, destinations, same, same, fours, fours)
    picks = [Static().branches(at)[1] for at in (lower, upper)]
    assert len(set(zip(*(pick.tolist() for pick in picks), strict=True))) == 16


def test_spray_takes_every_way() -> None:
    rows, picks = Spray().branches(crossroads(2, 3))
    assert list(zip(rows.tolist(), picks.tolist(), strict=True)) == [
        (0, 0),
        (0, 1),
        (0, 2),
        (1, 0),
        (1, 1),
        (1, 2),
    ]
