"""Stability: whether a run has a steady state whose percentiles mean anything."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from dcsim.metrics.columns import Array, Mask, floats, integers, num_within
from dcsim.metrics.queue import QueueSpells
from dcsim.metrics.request_view import RequestView
from dcsim.metrics.window import Window
from dcsim.tables import RequestStatus, ServingTables

_QUEUES = ("", " of those that wait for room to decode")  # as they are judged
_NUM_SAMPLES = 120  # of the backlog
_MATERIAL_FRAC = 0.01  # of arrivals, or of the window: less growth than this is taken for fluctuation
_NUM_ERRORS = 3.0  # standard errors: 0.1 % false alarms under the normal law


class Verdict(StrEnum):
    """What a run is fit for, from good to bad."""

    STABLE = "stable"
    SATURATED = "saturated"  # sheds load: what is served is steady, but not all is served
    UNSTABLE = "unstable"  # the backlog grows: no steady state


@dataclass(frozen=True, slots=True)
class Stability:
    """A verdict and its reason."""

    verdict: Verdict
    reason: str


@dataclass(frozen=True, slots=True)
class MostTokens:
    """Tokens of the longest request that can be served, and of the longest prompt."""

    of_request: int
    of_prompt: int


@dataclass(frozen=True, slots=True)
class Trend:
    """A least-squares line: its rise over the window, with an error that allows for autocorrelation."""

    rise: float
    standard_error: float

    @property
    def is_up(self) -> bool:
        """Whether it rises beyond doubt."""
        return self.rise > _NUM_ERRORS * self.standard_error


def judge(
    tables: ServingTables,
    spells: Sequence[QueueSpells],
    view: RequestView,
    window: Window,
    most: MostTokens,
) -> Stability:
    """The verdict on one replication; requests beyond ``most`` could never be served.

    Unstable: over the window, or over its second half (load that grows late bends the line), two lines rise:
    one fitted through the number of requests that wait for their first step, by more than 1 % of the
    arrivals, and one through how long the first in the queue has waited, by more than 1 % of the window.
    Both must exceed three standard errors. Either alone is no proof: the first also holds for a burst of
    traffic, the second for a few long waits. Service itself does not count: outputs that grow longer make
    requests stay, not queue. With prefill replicas the same holds of those that wait for room to decode.

    Saturated: more than 1 % of the requests were turned away by a full queue or
    timed out. Those that could never fit are no sign of load, but the reason tells them.
    """
    num_arrived = len(view)
    if num_arrived == 0 or window.duration_s <= 0:
        return Stability(Verdict.STABLE, "no requests in the measured window")
    instants_s = np.linspace(window.started_at_s, window.ended_at_s, _NUM_SAMPLES + 1)[1:]
    is_any_growing = False
    for queue, what in zip(spells, _QUEUES, strict=False):
        rise, rise_s = _rise(queue.num_waiting(instants_s)), _rise(queue.longest_wait_s(instants_s))
        growing, slowing = rise > _MATERIAL_FRAC * num_arrived, rise_s > _MATERIAL_FRAC * window.duration_s
        is_any_growing |= growing
        if not (growing and slowing):
            continue
        done = _completion_frac(tables, view, window)
        return Stability(
            Verdict.UNSTABLE,
            f"over the window or its second half the backlog{what} grew by {rise:.0f} requests "
            f"({rise / num_arrived:.1%} of arrivals) and the time in queue by {rise_s:.3g} s; "
            f"completions ran at {done:.1%} of arrivals",
        )
    return _without_growth(tables, view, most, growing=is_any_growing)


def _without_growth(
    tables: ServingTables, view: RequestView, most: MostTokens, *, growing: bool
) -> Stability:
    """The verdict where waiting did not grow: what of the requests was not served, and why."""
    is_rejected = view.status == RequestStatus.REJECTED
    is_too_long = _is_too_long(tables, view, most)
    num_shed = int(np.count_nonzero(is_rejected & ~is_too_long)) + view.num_with(RequestStatus.TIMED_OUT)
    unfit_frac = int(np.count_nonzero(is_rejected & is_too_long)) / len(view)
    never_fit = f"{unfit_frac:.1%} of requests could never fit: longer than max_model_len or the KV cache"
    if num_shed > _MATERIAL_FRAC * len(view):
        reason = (
            f"{num_shed / len(view):.1%} of requests were turned away by a full queue or timed out; the "
            "latencies are those of the rest"
        )
        return Stability(Verdict.SATURATED, f"{reason}; {never_fit}" if unfit_frac else reason)
    if unfit_frac > _MATERIAL_FRAC:
        return Stability(Verdict.STABLE, never_fit)
    if growing:
        return Stability(
            Verdict.STABLE, "the backlog rose with the traffic, but requests did not wait longer in queue"
        )
    return Stability(Verdict.STABLE, "the backlog shows no growth over the window")


def _rise(samples: Array) -> float:
    """How far evenly spaced samples rise beyond doubt, over all of them or their second half; else zero."""
    trends = (_trend(samples), _trend(samples[len(samples) // 2 :]))
    return max((trend.rise for trend in trends if trend.is_up), default=0.0)


def _trend(samples: Array) -> Trend:
    """The line through evenly spaced samples.

    Successive samples of a queue are alike: the number of independent ones is taken as n (1 - r) / (1 + r),
    r being the lag-one correlation of the residuals (exact for the mean of a long first-order
    autoregression).
    """
    num = len(samples)
    place = np.linspace(-0.5, 0.5, num)
    rise = float(place @ samples / (place @ place))
    residuals = samples - samples.mean() - rise * place
    variance = float(residuals @ residuals) / (num - 2)
    if variance == 0.0:
        return Trend(rise, 0.0)
    lag_one = float(residuals[1:] @ residuals[:-1]) / float(residuals @ residuals)
    inflation = (1.0 + min(max(lag_one, 0.0), 0.99)) / (1.0 - min(max(lag_one, 0.0), 0.99))
    return Trend(rise, math.sqrt(variance / float(place @ place) * inflation))


def _completion_frac(tables: ServingTables, view: RequestView, window: Window) -> float:
    """Requests that finished in the window, timeouts not counted, over those that arrived in it."""
    is_finished = integers(tables.requests, "status") == RequestStatus.FINISHED
    finished_at_s = floats(tables.requests, "finished_at_s")[is_finished]
    return num_within(finished_at_s, window.started_at_s, window.ended_at_s) / len(view)


def _is_too_long(tables: ServingTables, view: RequestView, most: MostTokens) -> Mask:
    """Which requests are too long for the model or a KV cache: to turn them away is no sign of load."""
    measured = slice(view.first, view.first + len(view))
    prompts = integers(tables.requests, "num_prompt_tokens")[measured]
    outputs = integers(tables.requests, "num_output_tokens")[measured]
    is_too_long: Mask = (prompts + outputs > most.of_request) | (prompts > most.of_prompt)
    return is_too_long


def worst(verdicts: list[Stability]) -> Stability:
    """The worst verdict of several replications."""
    return max(verdicts, key=lambda one: list(Verdict).index(one.verdict))
