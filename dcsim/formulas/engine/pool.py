"""Engines that a router keeps level, offered requests at a rate: their mean state, and the most they bear."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from dcsim.formulas.engine.capacity import EngineCapacity
from dcsim.formulas.engine.load import EngineState, mean_state
from dcsim.formulas.engine.request_mix import Array
from dcsim.formulas.engine.throughput_curve import ThroughputCurve

_LEAST_RATE_PER_S = 1e-9
_MOST_STATES = 16_384
_NUM_HALVINGS = 10


@dataclass(frozen=True, slots=True)
class EnginePool:
    """So many engines with as many requests each, as far as whole requests allow, for so long.

    With N requests in all m engines these complete m X(N / m) per second, so that for Poisson arrivals
    P(N) is proportional to the product over k = 1..N of rate / X(k / m), X being constant from the limit on.
    If every request's speed depended on N alone, this would hold whatever the distribution of its work
    (Cohen, "The multiple phase service network with generalized processor sharing", Acta Informatica 12,
    1979).

    Where X falls again, as where steps grow too large for a CUDA graph or preemptions waste work, a load may
    have two states. The engines begin empty, and stay in the lower one if they are expected to leave it less
    than once in the time.
    """

    num_engines: int
    states: ThroughputCurve  # of one engine, with N / m requests for N from 0 up
    saturated_requests_per_s: float
    duration_s: float

    def log_chances(self, rate_per_s: float) -> Array:
        """log P(N) at a rate per engine, but for a constant."""
        log_growth = np.log(rate_per_s / self.states.requests_per_s[1:])
        return np.concatenate([[0.0], np.cumsum(log_growth)])

    def barrier(self, rate_per_s: float, log_chances: Array) -> int | None:
        """The first number of requests, where chances are least, that is hardly ever passed; or None.

        An arrival meets N requests with P(N | at most N), so that N is passed arrivals x P times.
        """
        is_rising = rate_per_s >= self.saturated_requests_per_s
        rises = np.append(np.diff(log_chances) > 0.0, is_rising)
        num_arrivals = self.num_engines * rate_per_s * self.duration_s
        for place in np.flatnonzero(rises[1:] & ~rises[:-1]) + 1:
            up_to = log_chances[: place + 1]
            share = np.exp(up_to[-1] - up_to.max()) / np.exp(up_to - up_to.max()).sum()
            if num_arrivals * share < 1.0:
                return int(place)
        return None


def engine_pool(capacity: EngineCapacity, num_engines: int, duration_s: float) -> EnginePool:
    """A pool of equal engines; so many that their states would be too many are taken as fewer."""
    last = float(capacity.curve.num_requests[-1])
    num_engines = max(1, min(num_engines, int(_MOST_STATES / last)))
    counts = np.arange(np.ceil(last * num_engines) + 1.0) / num_engines
    return EnginePool(num_engines, capacity.curve.at(counts), capacity.saturated_requests_per_s, duration_s)


def state_at_rate(pool: EnginePool, rate_per_s: float) -> EngineState | None:
    """The mean state of each engine at a rate per engine; None if the queue grows for ever."""
    rate_per_s = max(rate_per_s, _LEAST_RATE_PER_S)
    log_chances = pool.log_chances(rate_per_s)
    barrier, growth = pool.barrier(rate_per_s, log_chances), rate_per_s / pool.saturated_requests_per_s
    if barrier is None and growth >= 1.0:
        return None
    end = len(log_chances) if barrier is None else barrier + 1
    chances = np.zeros_like(log_chances)
    chances[:end] = np.exp(log_chances[:end] - log_chances[:end].max())
    beyond = float(chances[-1]) * growth / (1.0 - growth) if barrier is None else 0.0
    total = float(chances.sum()) + beyond
    further = beyond / total / (1.0 - growth) / pool.num_engines if beyond else 0.0
    found = mean_state(pool.states, chances / total, beyond / total)
    return replace(found, num_requests=found.num_requests + further, requests_per_s=rate_per_s)


def highest_rate_per_s(pool: EnginePool) -> float:
    """The highest rate per engine at which the queue does not grow for ever, by halving."""
    low, high = pool.saturated_requests_per_s, float(pool.states.requests_per_s.max())
    if high <= low:
        return low
    for _ in range(_NUM_HALVINGS):
        middle = (low + high) / 2.0
        is_kept = pool.barrier(middle, pool.log_chances(middle)) is not None
        low, high = (middle, high) if is_kept else (low, middle)
    return low
