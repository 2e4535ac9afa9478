"""A fleet is its engines and its router, however it brings them forward."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest

from dcsim.policies.router import Router
from dcsim.policies.routers.least_outstanding import LeastOutstanding
from dcsim.policies.routers.power_of_two import PowerOfTwo
from dcsim.policies.routers.random import Random
from dcsim.policies.routers.round_robin import RoundRobin
from dcsim.tables import REQUESTS, ServingTables
from tests.sim.drive import drive
from tests.sim.fleets import run_fleet
from tests.sim.timers import AffineTimer
from tests.sim.twin import Arrival, TwinOptions

OPTIONS = TwinOptions(
    scheduler="chunked_prefill", max_num_seqs=6, max_num_batched_tokens=64, num_blocks=60, block_size=8,
    overhead_s=0.004,
)  # fmt: skip


class WatchfulRoundRobin(RoundRobin):
    """Round robin that claims to look at the replicas, so that the fleet routes one request at a time."""

    needs_state: ClassVar[bool] = True


def arrivals(num: int = 400, rate_per_s: float = 60.0) -> list[Arrival]:
    rng = np.random.default_rng(11)
    at = np.cumsum(rng.exponential(1 / rate_per_s, num)).tolist()
    prompts, outputs = rng.integers(1, 150, num), rng.integers(1, 60, num)
    return [Arrival(t, int(p), int(n)) for t, p, n in zip(at, prompts, outputs, strict=True)]


def assert_same_requests(one: ServingTables, other: ServingTables) -> None:
    for name in REQUESTS:
        np.testing.assert_allclose(one.requests[name], other.requests[name], rtol=1e-9, err_msg=name)


def test_routing_in_advance_gives_what_routing_one_by_one_gives() -> None:
    in_advance = run_fleet(OPTIONS, AffineTimer(), arrivals(), RoundRobin(), num_replicas=3)
    one_by_one = run_fleet(OPTIONS, AffineTimer(), arrivals(), WatchfulRoundRobin(), num_replicas=3)
    assert in_advance.requests["num_preemptions"].sum() > 0
    assert_same_requests(in_advance, one_by_one)


def test_every_replica_fares_as_if_it_were_alone_with_its_requests() -> None:
    tables = run_fleet(OPTIONS, AffineTimer(), arrivals(), RoundRobin(), num_replicas=3)
    for replica in range(3):
        alone = drive(OPTIONS, AffineTimer(), arrivals()[replica::3])
        np.testing.assert_allclose(
            tables.requests["finished_at_s"][replica::3], alone.finished_at_s, rtol=1e-9
        )
        assert (tables.requests["replica"][replica::3] == replica).all()


@pytest.mark.parametrize("router", [RoundRobin(), Random(), PowerOfTwo(), LeastOutstanding()])
@pytest.mark.parametrize("num_lanes", [1, 2])
def test_jumping_engines_behind_a_router_equal_stepping_ones(router: Router, num_lanes: int) -> None:
    jumping, stepping = (
        run_fleet(
            OPTIONS, AffineTimer(), arrivals(), router,
            num_replicas=2, num_lanes=num_lanes, is_stepwise=is_stepwise,
        )
        for is_stepwise in (False, True)
    )  # fmt: skip
    assert len(jumping.steps) < len(stepping.steps)
    assert_same_requests(jumping, stepping)


def outstanding(tables: ServingTables, replica: int, instant_s: float) -> int:
    """Requests routed to a replica before an instant that have not finished by then."""
    requests = tables.requests
    ready_at_s = requests["arrived_at_s"] + OPTIONS.overhead_s
    is_there = (requests["replica"] == replica) & (ready_at_s < instant_s)
    return int((is_there & (requests["finished_at_s"] > instant_s)).sum())


def test_least_outstanding_never_passes_over_a_replica_with_fewer_waiting_and_running_requests() -> None:
    tables = run_fleet(OPTIONS, AffineTimer(), arrivals(), LeastOutstanding(), num_replicas=4)
    for at_s, replica in zip(tables.requests["arrived_at_s"], tables.requests["replica"], strict=True):
        loads = [outstanding(tables, other, at_s + OPTIONS.overhead_s) for other in range(4)]
        assert loads[replica] == min(loads)
