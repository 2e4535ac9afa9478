"""Replicas behind a router against queueing theory."""

from __future__ import annotations

import numpy as np

from dcsim.formulas.queueing import mmc_mean_wait_s
from dcsim.policies.router import Router
from dcsim.policies.routers.least_outstanding import LeastOutstanding
from dcsim.policies.routers.power_of_two import PowerOfTwo
from dcsim.policies.routers.random import Random
from tests.sim.fleets import run_fleet
from tests.sim.twin import Arrival, TwinOptions
from tests.truth.intervals import assert_mean_is
from tests.truth.timers import ConstantTimer

NUM_REPLICAS, NUM_REQUESTS, NUM_WARMUP, STEP_S = 4, 8000, 400, 1e-3  # a request takes one second on average
OPTIONS = TwinOptions(
    scheduler="chunked_prefill", max_num_seqs=1, max_num_batched_tokens=64,
    num_blocks=1 << 20, block_size=1 << 14,
)  # fmt: skip


def mean_wait_s(router: Router, utilization_frac: float, seed: int) -> float:
    """Mean time in the queue of replicas that serve one request at a time, for exponential service."""
    rng = np.random.default_rng(seed)
    at_s = np.cumsum(rng.exponential(1 / (utilization_frac * NUM_REPLICAS), NUM_REQUESTS))
    num_outputs = np.maximum(1, np.rint(rng.exponential(1 / STEP_S, NUM_REQUESTS))).astype(int)
    arrivals = [Arrival(t, 1, n) for t, n in zip(at_s.tolist(), num_outputs.tolist(), strict=True)]
    tables = run_fleet(OPTIONS, ConstantTimer(STEP_S), arrivals, router, num_replicas=NUM_REPLICAS, seed=seed)
    return float(np.mean((tables.requests["scheduled_at_s"] - at_s)[NUM_WARMUP:]))


def test_random_routing_splits_a_poisson_stream_into_independent_mm1_queues() -> None:
    rho = 0.5
    waits = [mean_wait_s(Random(), rho, seed) for seed in range(8)]
    assert_mean_is(rho / (1 - rho), waits, tightness=0.1)


def test_better_informed_routers_wait_less_but_never_less_than_one_shared_queue() -> None:
    """M/M/4 <= join the shortest queue <= two choices <= random, on the same requests."""
    rho, seed = 0.8, 1
    shared_queue_s = mmc_mean_wait_s(rho * NUM_REPLICAS, 1.0, NUM_REPLICAS)
    shortest, two, any_ = (
        mean_wait_s(router, rho, seed) for router in (LeastOutstanding(), PowerOfTwo(), Random())
    )
    assert 0.9 * shared_queue_s < shortest < two < any_
