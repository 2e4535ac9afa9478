"""Occupations in bursts: a light load to others, and a pace of their own by what a burst finds."""

from __future__ import annotations

import math

import pytest
import simpy

from dcsim.networks.flow import Flow
from dcsim.networks.graph import Hosts
from dcsim.sim.fabric.fabric import Fabric
from dcsim.sim.fabric.movement import Occupation
from dcsim.topologies.leaf_spine import LeafSpine

RATE = 100.0


def occupied(fabric: Fabric, mean_frac: float, source: int = 0) -> Occupation:
    flow = Flow(source, 2, 1.0, mean_frac * RATE)
    return fabric.occupy_in_bursts([flow], f"job {source}", lambda share: None, least_change_frac=1e-9)


@pytest.fixture
def fabric() -> Fabric:
    return Fabric(simpy.Environment(), LeafSpine().network(Hosts(3, 1, RATE, 0.0, RATE, 0.0)))


def settle(fabric: Fabric) -> None:
    fabric._environment.run(until=fabric._environment.now + 1e-9)


def test_a_job_alone_has_all_of_its_link(fabric: Fabric) -> None:
    job = occupied(fabric, 0.1)
    settle(fabric)
    assert job.share_frac == pytest.approx(1.0)


def test_two_jobs_leave_each_other_what_their_means_do_not_take(fabric: Fabric) -> None:
    one, other = occupied(fabric, 0.1, 0), occupied(fabric, 0.3, 1)  # both to node 2
    settle(fabric)
    assert (one.share_frac, other.share_frac) == pytest.approx((0.7, 0.9))


def test_beside_a_transfer_without_limit_a_burst_gets_its_fair_share(fabric: Fabric) -> None:
    job = occupied(fabric, 0.1)
    fabric.transfer([Flow(1, 2, math.inf)], "checkpoint")
    settle(fabric)
    assert job.share_frac == pytest.approx(0.5)
    assert fabric.link_bytes_per_s().max() == pytest.approx(RATE)  # the transfer takes what the mean leaves


def test_small_changes_are_not_told(fabric: Fabric) -> None:
    told: list[float] = []
    fabric.occupy_in_bursts([Flow(0, 2, 1.0, 1.0)], "job", told.append, least_change_frac=0.05)
    settle(fabric)
    occupied(fabric, 0.04, 1)
    settle(fabric)
    assert told == []
    occupied(fabric, 0.10, 1)
    settle(fabric)
    assert told == pytest.approx([0.86])
