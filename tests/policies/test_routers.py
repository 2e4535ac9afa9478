import numpy as np
import pytest

from dcsim.policies.routers.least_outstanding import LeastOutstanding
from dcsim.policies.routers.power_of_two import PowerOfTwo
from dcsim.policies.routers.random import Random
from dcsim.policies.routers.round_robin import RoundRobin


def test_round_robin_serves_every_replica_in_turn():
    rng = np.random.default_rng(1)
    assert [RoundRobin().choose([9, 0, 0], i, rng) for i in range(6)] == [0, 1, 2, 0, 1, 2]


def test_random_draws_every_replica_with_equal_chance():
    rng = np.random.default_rng(1)
    draws = [Random().choose([0] * 4, i, rng) for i in range(4000)]
    counts = np.bincount(draws, minlength=4)
    chi_squared = float(((counts - 1000) ** 2 / 1000).sum())
    assert chi_squared < 16.27  # 0.999 quantile with three degrees of freedom


def test_least_outstanding_takes_the_least_loaded_replica():
    assert LeastOutstanding().choose([3, 1, 2], 0, np.random.default_rng(1)) == 1


def test_least_outstanding_sends_ties_round():
    rng = np.random.default_rng(1)
    assert [LeastOutstanding().choose([0, 0, 5], i, rng) for i in range(4)] == [0, 1, 0, 0]


def test_power_of_two_never_takes_the_most_loaded_of_distinct_loads():
    rng = np.random.default_rng(1)
    assert {PowerOfTwo().choose([7, 5, 6], i, rng) for i in range(300)} == {1, 2}


def test_power_of_two_works_with_one_replica():
    assert PowerOfTwo().choose([4], 0, np.random.default_rng(1)) == 0


@pytest.mark.parametrize("router", [RoundRobin(), Random()])
def test_blind_routers_say_that_they_need_no_state(router):
    assert not router.needs_state


def test_routers_say_how_many_replicas_they_keep_level():
    pooled = [one().num_pooled(8) for one in (Random, RoundRobin, PowerOfTwo, LeastOutstanding)]
    assert pooled == [1, 1, 2, 8]
