"""The simulator against exact results of queueing theory."""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt

import numpy as np
import numpy.typing as npt
import pytest

from dcsim.formulas.queueing import mg1_mean_wait_s, mmc_mean_wait_s
from tests.sim.drive import drive
from tests.sim.twin import Arrival, TwinOptions
from tests.truth.intervals import assert_mean_is
from tests.truth.timers import ConstantTimer

MEAN_SERVICE_S = 1.0
STEP_S = MEAN_SERVICE_S / 1000  # so short that service times are as good as continuous
NUM_REQUESTS, NUM_WARMUP, NUM_REPLICATIONS = 6000, 500, 8
Samples = npt.NDArray[np.float64]
Service = Callable[[np.random.Generator], Samples]


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


def waits(arrived_at_s: Samples, service_s: Samples, num_servers: int) -> Samples:
    """Time in the queue, by request, of an engine that serves so many sequences side by side."""
    options = TwinOptions(
        scheduler="chunked_prefill", max_num_seqs=num_servers, max_num_batched_tokens=64,
        num_blocks=1 << 20, block_size=1 << 14,
    )  # fmt: skip
    num_outputs = num_steps(service_s).tolist()
    arrivals = [Arrival(t, 1, n) for t, n in zip(arrived_at_s.tolist(), num_outputs, strict=True)]
    return drive(options, ConstantTimer(STEP_S), arrivals).scheduled_at_s - arrived_at_s


def num_steps(service_s: Samples) -> npt.NDArray[np.int64]:
    return np.maximum(1, np.rint(service_s / STEP_S)).astype(np.int64)


def mean_waits(utilization_frac: float, num_servers: int, service: Service) -> list[float]:
    """Mean time in the queue, by replication."""
    means = []
    for seed in range(NUM_REPLICATIONS):
        rng = np.random.default_rng([seed, num_servers])
        arrived_at = poisson_arrivals(utilization_frac * num_servers / MEAN_SERVICE_S, rng)
        means.append(float(np.mean(waits(arrived_at, service(rng), num_servers)[NUM_WARMUP:])))
    return means


def test_one_sequence_at_a_time_with_exponential_outputs_waits_as_in_mm1() -> None:
    rho = 0.5
    expected = mg1_mean_wait_s(rho / MEAN_SERVICE_S, MEAN_SERVICE_S, service_cv=1.0)
    assert_mean_is(expected, mean_waits(rho, 1, exponential_service), tightness=0.1)


def test_one_sequence_at_a_time_with_equal_outputs_waits_as_in_md1() -> None:
    rho = 0.5
    expected = mg1_mean_wait_s(rho / MEAN_SERVICE_S, MEAN_SERVICE_S, service_cv=0.0)
    assert_mean_is(expected, mean_waits(rho, 1, constant_service), tightness=0.1)


def test_one_sequence_at_a_time_with_mixed_outputs_waits_as_pollaczek_and_khinchine_say() -> None:
    rho, second_moment = 0.4, 0.1 * 2 * 5.5**2 + 0.9 * 2 * 0.5**2  # in squares of the mean
    expected = mg1_mean_wait_s(rho / MEAN_SERVICE_S, MEAN_SERVICE_S, service_cv=sqrt(second_moment - 1.0))
    assert_mean_is(expected, mean_waits(rho, 1, hyperexponential_service), tightness=0.25)


def test_sequences_side_by_side_at_constant_step_time_wait_as_in_mmc() -> None:
    rho, num_servers = 0.7, 4
    expected = mmc_mean_wait_s(rho * num_servers / MEAN_SERVICE_S, 1.0 / MEAN_SERVICE_S, num_servers)
    assert_mean_is(expected, mean_waits(rho, num_servers, exponential_service), tightness=0.25)


@pytest.mark.parametrize("rho", [0.5, 0.95, 1.3])
def test_every_single_wait_follows_lindleys_recursion(rho: float) -> None:
    """W' = max(0, W + S - A): exact for each request, whatever the load."""
    rng = np.random.default_rng(3)
    arrived_at, service_s = poisson_arrivals(rho / MEAN_SERVICE_S, rng), exponential_service(rng)
    expected = np.zeros(NUM_REQUESTS)
    for i in range(1, NUM_REQUESTS):
        worked_s = expected[i - 1] + num_steps(service_s)[i - 1] * STEP_S
        expected[i] = max(0.0, worked_s - (arrived_at[i] - arrived_at[i - 1]))
    np.testing.assert_allclose(waits(arrived_at, service_s, 1), expected, atol=1e-6)
