"""Queues with known answers: M/M/c and M/G/1. The tests hold the simulation against them.

Times are seconds, rates per second. A queue whose utilization reaches 1 has infinite mean wait.
"""

from __future__ import annotations

import math


def erlang_b(offered_load: float, num_servers: int) -> float:
    """Probability that all servers are busy in M/M/c/c (Erlang's loss formula).

    B(c, a) = (a^c / c!) / sum_{k=0..c} a^k / k!, computed by the stable recursion
    B(k) = a B(k-1) / (k + a B(k-1)), B(0) = 1, which follows from it by division.

    >>> erlang_b(1.0, 1)
    0.5
    """
    blocking = 1.0
    for num in range(1, num_servers + 1):
        blocking = offered_load * blocking / (num + offered_load * blocking)
    return blocking


def erlang_c(offered_load: float, num_servers: int) -> float:
    """Probability that an arrival must wait in M/M/c (Erlang's delay formula).

    C(c, a) = (a^c/c! c/(c-a)) / (sum_{k<c} a^k/k! + a^c/c! c/(c-a)), here from Erlang's loss formula as C =
    c B / (c - a (1 - B)); see A. O. Allen, Probability, Statistics and Queueing Theory, 1978. Valid for a <
    c; 1 otherwise. For one server it is rho.
    """
    if offered_load >= num_servers:
        return 1.0
    blocking = erlang_b(offered_load, num_servers)
    return num_servers * blocking / (num_servers - offered_load * (1.0 - blocking))


def mmc_mean_wait_s(arrival_rate_per_s: float, service_rate_per_s: float, num_servers: int) -> float:
    """Mean time in the queue of M/M/c: W_q = C(c, a) / (c mu - lambda), with a = lambda / mu.

    >>> mmc_mean_wait_s(0.5, 1.0, 1)
    1.0
    """
    spare_rate_per_s = num_servers * service_rate_per_s - arrival_rate_per_s
    if spare_rate_per_s <= 0:
        return math.inf
    return erlang_c(arrival_rate_per_s / service_rate_per_s, num_servers) / spare_rate_per_s


def mg1_mean_wait_s(arrival_rate_per_s: float, mean_service_s: float, service_cv: float) -> float:
    """Mean time in the queue of M/G/1: W_q = rho s (1 + cv^2) / (2 (1 - rho)) (Pollaczek-Khinchine).

    ``service_cv`` is the coefficient of variation of service: 1 gives M/M/1, 0 gives M/D/1.

    >>> mg1_mean_wait_s(0.5, 1.0, 0.0)
    0.5
    """
    rho = arrival_rate_per_s * mean_service_s
    if rho >= 1.0:
        return math.inf
    return rho * mean_service_s * (1.0 + service_cv**2) / (2.0 * (1.0 - rho))
