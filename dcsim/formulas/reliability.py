"""Reliability: failure rates of a job, checkpoint intervals, and the share of time that is productive.

A job computes for an interval tau, stands still for a stall w to save a checkpoint, and goes on. A failure
throws it back to the last durable checkpoint; it computes again after a restart R, which failures may
interrupt like everything else. A checkpoint is durable when its stall ends or, written asynchronously, a
drain D later. M is the mean time between failures. All times are seconds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import NormalDist

_MAX_NEWTON_STEPS = 100
_MAX_INTERVALS = 10_000_000  # of one sum: more is an interval too short to be meant
_NEGLIGIBLE = 1e-12


@dataclass(frozen=True, slots=True)
class CheckpointTimes:
    """What a checkpoint costs: the stall, the drain that follows it, and the restart from it."""

    stall_s: float
    restart_s: float
    drain_s: float = 0.0


def mttf_s(parts: Iterable[tuple[float, float]]) -> float:
    """Mean time to failure of a job that any failing unit stops: M = 1 / sum over causes of rate x units.

    ``parts`` are pairs of a rate per unit and second and a number of units. Exact where failures are Poisson;
    of many units with renewal failures it is the long-run mean (superposition; D. R. Cox, Renewal Theory,
    1962). Causes that scale with nodes alone are too hopeful for small jobs: a 1,024-GPU job of
    Meta's research clusters failed 3.6 times as often as its nodes' rate says (arXiv:2410.21680), so causes
    counted per job belong in the sum.

    >>> mttf_s([(1e-3, 4.0), (1e-3, 1.0)])
    200.0
    """
    rate_per_s = math.fsum(rate * units for rate, units in parts)
    return 1.0 / rate_per_s if rate_per_s > 0 else math.inf


def productive_share(interval_s: float, mttf_s: float, times: CheckpointTimes) -> float:
    """Share of time whose work counts: E = tau / (M e^((R+D)/M) (e^((tau+w)/M) - 1)).

    Daly's complete form (J. T. Daly, "A higher order estimate of the optimum checkpoint interval for restart
    dumps", Future Generation Computer Systems 22, 2006, equation 20, as a share) for D = 0. With a drain: the
    k-th checkpoint after a failure is durable k (tau + w) + R + D later, so that of gaps between failures
    with P(Y > y) = e^(-y/M) each adds e^(-(R+D)/M) / (e^((tau+w)/M) - 1) checkpoints on average, tau each.

    Range: Poisson failures, also during stalls and restarts; D at most tau, else the next checkpoint waits.

    >>> round(productive_share(600.0, 3.09 * 3600, CheckpointTimes(stall_s=5.0, restart_s=600.0)), 3)
    0.914
    """
    cycle = (interval_s + times.stall_s) / mttf_s
    lead = (times.restart_s + times.drain_s) / mttf_s
    if cycle == 0.0:  # no failures
        return interval_s / (interval_s + times.stall_s)
    # e^-lead / (e^cycle - 1), written so that it cannot overflow
    return interval_s / mttf_s * math.exp(-lead - cycle) / -math.expm1(-cycle)


def productive_share_of_renewals(
    interval_s: float, mttf_s: float, times: CheckpointTimes, survival: Callable[[float], float]
) -> float:
    """Share of time whose work counts if the gaps between failures are drawn anew each time, of any law.

    E = tau / M sum over k >= 1 of P(Y > R + D + k (tau + w)); ``survival`` is P(Y > y) and M its mean. The
    exponential law gives :func:`productive_share`. Range: a job whose every failure renews all of it, such as
    a job on one node; many nodes together are close to Poisson. By the renewal-reward theorem (D. R. Cox,
    Renewal Theory, 1962).

    >>> times = CheckpointTimes(stall_s=5.0, restart_s=600.0)
    >>> round(productive_share_of_renewals(600.0, 11124.0, times, lambda y: math.exp(-y / 11124.0)), 3)
    0.914
    """
    saved = 0.0
    for k in range(1, _MAX_INTERVALS):
        chance = survival(times.restart_s + times.drain_s + k * (interval_s + times.stall_s))
        saved += chance
        if chance < _NEGLIGIBLE:
            break
    return interval_s * saved / mttf_s


def lost_per_failure_s(interval_s: float, mttf_s: float, times: CheckpointTimes) -> float:
    """Mean time thrown away by a failure: computing and stalls since the last durable checkpoint.

    L = M e^(-R/M) - N (tau + w), with N the mean number of checkpoints made durable between two failures:
    what is left of a gap after the restart and the intervals that count. About tau/2 + D where failures are
    rare; see :func:`productive_share` for N and its range.

    >>> round(lost_per_failure_s(600.0, 1e7, CheckpointTimes(stall_s=0.0, restart_s=0.0)))
    300
    """
    num_saved = productive_share(interval_s, mttf_s, times) * mttf_s / interval_s
    return mttf_s * math.exp(-times.restart_s / mttf_s) - num_saved * (interval_s + times.stall_s)


def time_to_save_s(interval_s: float, mttf_s: float, times: CheckpointTimes) -> float:
    """Mean time until one more checkpoint is durable: tau / E; infinite where that is beyond all floats.

    >>> round(time_to_save_s(600.0, 1e9, CheckpointTimes(stall_s=5.0, restart_s=0.0)))
    605
    """
    share = productive_share(interval_s, mttf_s, times)
    return interval_s / share if share > 0 else math.inf


def young_interval_s(stall_s: float, mttf_s: float) -> float:
    """First-order best interval: sqrt(2 w M) (J. W. Young, Comm. ACM 17(9), 530-531, 1974). For w << M.

    >>> young_interval_s(5.0, 9000.0)
    300.0
    """
    return math.sqrt(2.0 * stall_s * mttf_s)


def daly_interval_s(stall_s: float, mttf_s: float) -> float:
    """Higher-order best interval: sqrt(2wM) (1 + sqrt(w/2M)/3 + w/(18M)) - w; M for w >= 2M.

    J. T. Daly, Future Generation Computer Systems 22, 2006, equation 37.

    >>> round(daly_interval_s(5.0, 9000.0), 2)
    296.68
    """
    if stall_s >= 2.0 * mttf_s:
        return mttf_s
    ratio = stall_s / (2.0 * mttf_s)
    return young_interval_s(stall_s, mttf_s) * (1.0 + math.sqrt(ratio) / 3.0 + ratio / 9.0) - stall_s


def optimal_interval_s(stall_s: float, mttf_s: float) -> float:
    """The interval at which :func:`productive_share` is largest; restart and drain drop out.

    From dE/dtau = 0: ln(1 - x) + x = -w/M with x = tau/M, solved by Newton's method. The function is concave,
    so that from a start beyond the root the steps approach it from one side: Young's interval, or where
    that is not below M, 1 - e^(-1-w/M). Infinite without failures, 0 for checkpoints that cost nothing.

    >>> round(optimal_interval_s(5.0, 9000.0), 2)
    296.68
    """
    if stall_s == 0.0:
        return 0.0
    if math.isinf(mttf_s):
        return math.inf
    ratio = stall_s / mttf_s
    x = math.sqrt(2.0 * ratio)
    if x >= 1.0:
        x = -math.expm1(-1.0 - ratio)
    if x == 1.0:  # to the last digit
        return mttf_s
    for _ in range(_MAX_NEWTON_STEPS):
        step = (math.log1p(-x) + x + ratio) * (1.0 - x) / x
        x += step
        if abs(step) < _NEGLIGIBLE * x or x >= 1.0:
            break
    return min(x, 1.0) * mttf_s


def num_spares_for(failure_rate_per_s: float, repair_s: float, availability_frac: float) -> int:
    """Fewest spares with which a failed unit finds one at once with the given probability.

    Units under repair are Poisson with mean a = rate x repair time whatever the law of repair times
    (M/G/infinity; C. Palm, 1938); a failure finds a spare if fewer than s are under repair. Range: repairs
    that do not wait for crews; where units run short, failures fall too and the answer is on the safe side.

    >>> num_spares_for(1e-4, 10_000.0, 0.95)
    4
    """
    mean = failure_rate_per_s * repair_s
    weight = math.exp(-mean)
    if weight == 0.0:  # the normal approximation with its correction for continuity serves where e^-a is 0
        return math.ceil(mean + 0.5 + NormalDist().inv_cdf(availability_frac) * math.sqrt(mean))
    below, num = 0.0, 0
    while below < availability_frac and weight > 0.0:
        below += weight
        num += 1
        weight *= mean / num
    return num


def down_probabilities(
    num_running: int, num_spares: int, failure_rate_per_s: float, repair_s: float, num_crews: int
) -> list[float]:
    """Probability of 0, 1, ... units down, of ``num_running`` + ``num_spares`` kept by so many crews.

    The machine-repair model with warm spares (all units that are up fail alike): a birth-death chain with
    failures (n - k) lambda and repairs min(k, c) / R in state k (A. O. Allen, Probability, Statistics and
    Queueing Theory, 1978). Range: exponential failures and repairs.

    >>> [round(p, 3) for p in down_probabilities(1, 0, 1.0, 1.0, 1)]
    [0.5, 0.5]
    """
    num_units = num_running + num_spares
    logs = [0.0]
    for down in range(num_units):
        up_rate = (num_units - down) * failure_rate_per_s
        repair_rate = min(down + 1, num_crews) / repair_s
        logs.append(logs[-1] + math.log(up_rate / repair_rate))
    highest = max(logs)
    weights = [math.exp(log - highest) for log in logs]
    total = math.fsum(weights)
    return [weight / total for weight in weights]


def weibull_scale_s(mean_s: float, shape: float) -> float:
    """Scale of the Weibull law of that mean: mean / Gamma(1 + 1/k).

    Below shape 1 the hazard falls (early failures), above it grows (wear).

    >>> weibull_scale_s(100.0, 1.0)
    100.0
    """
    return mean_s / math.gamma(1.0 + 1.0 / shape)
