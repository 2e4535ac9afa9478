"""The simulator against exact results of queueing theory."""

from __future__ import annotations

from math import factorial

import numpy as np
import numpy.typing as npt
import pytest

from tests.sim.drive import drive
from tests.sim.twin import Arrival, TwinOptions
from tests.truth.intervals import assert_mean_is
from tests.truth.timers import ConstantTimer

MEAN_SERVICE_S = 1.0
STEP_S = MEAN_SERVICE_S / 1000  # so short that service times are as good as continuous
NUM_REQUESTS, NUM_WARMUP, NUM_REPLICATIONS = 6000, 1000, 6
Samples = npt.NDArray[np.float64]


def poisson_arrivals(rate_per_s: float, rng: np.random.Generator) -> Samples:
    return np.cumsum(rng.exponential(1 / rate_per_s, NUM_REQUESTS))


def exponential_service(rng: np.random.Generator) -> Samples:
    return rng.exponential(MEAN_SERVICE_S, NUM_REQUESTS)


def constant_service(_: np.random.Generator) -> Samples:
    return np.full(NUM_REQUESTS, MEAN_SERVICE_S)


def hyperexponential_service(rng: np.random.Generator) -> Samples:
    """A tenth of the requests take 5.5 mean services, the others half of one: E[S^2] = 6.5 E[S]^2."""
    means = np.where(rng.random(NUM_REQUESTS) < 0.1, 5.5, 0.5) * MEAN_SERVICE_S
    return rng.exponential(1.0, NUM_REQUESTS) * means


def mean_waits(utilization_frac: float, num_servers: int, service) -> list[float]:
    """Mean time in the queue, by replication, of an engine that serves so many sequences side by side."""
    options = TwinOptions(
        scheduler="chunked_prefill", max_num_seqs=num_servers, max_num_batched_tokens=64,
        num_blocks=1 << 20, block_size=1 << 14,
    )  # fmt: skip
    waits = []
    for seed in range(NUM_REPLICATIONS):
        rng = np.random.default_rng([seed, num_servers])
        arrived_at = poisson_arrivals(utilization_frac * num_servers / MEAN_SERVICE_S, rng)
        num_outputs = np.maximum(1, np.rint(service(rng) / STEP_S)).astype(int).tolist()
        arrivals = [Arrival(t, 1, n) for t, n in zip(arrived_at.tolist(), num_outputs, strict=True)]
        run = drive(options, ConstantTimer(STEP_S), arrivals)
        waits.append(float(np.mean((run.scheduled_at_s - arrived_at)[NUM_WARMUP:])))
    return waits


def erlang_c_wait_s(utilization_frac: float, num_servers: int) -> float:
    """Mean wait in M/M/c: Erlang's C over c mu - lambda."""
    load = utilization_frac * num_servers
    busy = load**num_servers / factorial(num_servers) / (1 - utilization_frac)
    c = busy / (sum(load**k / factorial(k) for k in range(num_servers)) + busy)
    return c * MEAN_SERVICE_S / (num_servers * (1 - utilization_frac))


def test_one_sequence_at_a_time_with_exponential_outputs_waits_as_in_mm1() -> None:
    rho = 0.6
    assert_mean_is(
        rho / (1 - rho) * MEAN_SERVICE_S, mean_waits(rho, 1, exponential_service), tightness=0.1
    )


def test_one_sequence_at_a_time_with_equal_outputs_waits_as_in_md1() -> None:
    rho = 0.7
    expected = rho / (2 * (1 - rho)) * MEAN_SERVICE_S
    assert_mean_is(expected, mean_waits(rho, 1, constant_service), tightness=0.1)


def test_one_sequence_at_a_time_with_mixed_outputs_waits_as_pollaczek_and_khinchine_say() -> None:
    rho, second_moment = 0.5, 0.1 * 2 * 5.5**2 + 0.9 * 2 * 0.5**2
    expected = rho / MEAN_SERVICE_S * second_moment * MEAN_SERVICE_S**2 / (2 * (1 - rho))
    assert_mean_is(expected, mean_waits(rho, 1, hyperexponential_service), tightness=0.25)


@pytest.mark.parametrize("num_servers", [2, 5])
def test_sequences_side_by_side_at_constant_step_time_wait_as_in_mmc(num_servers: int) -> None:
    rho = 0.75
    expected = erlang_c_wait_s(rho, num_servers)
    assert_mean_is(expected, mean_waits(rho, num_servers, exponential_service), tightness=0.25)
