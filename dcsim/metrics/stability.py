"""Stability: whether a run has a steady state whose percentiles mean anything."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from dcsim.metrics.columns import Array, floats, integers, is_within, num_within
from dcsim.metrics.request_view import RequestView
from dcsim.metrics.window import Window
from dcsim.tables import RequestStatus, ServingTables

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
class Trend:
    """A least-squares line: its rise over the window, with an error that allows for autocorrelation."""

    rise: float
    standard_error: float

    @property
    def is_up(self) -> bool:
        """Whether it rises beyond doubt."""
        return self.rise > _NUM_ERRORS * self.standard_error


def judge(tables: ServingTables, view: RequestView, window: Window, max_request_tokens: int) -> Stability:
    """The verdict on one replication; longer requests than ``max_request_tokens`` could never be served.

    Unstable: the number of requests in the system rises over the window, or over its second half (load
    that grows late bends the line), by a line fitted through it, by more than 1 % of the arrivals; and
    requests that leave late in the window had stayed longer than those that left early, by more than 1 % of
    the window. Both must exceed three standard errors. Either alone is no proof: the first also holds for a
    burst of traffic or a batch that still fills, the second for a few long requests. Saturated: more than
    1 % of the requests were turned away by a full queue or timed out.
    """
    num_arrived = len(view)
    if num_arrived == 0 or window.duration_s <= 0:
        return Stability(Verdict.STABLE, "no requests in the measured window")
    backlog = _backlog(tables, window)
    drifts = [drift for drift in (_trend(backlog), _trend(backlog[len(backlog) // 2 :])) if drift.is_up]
    rise = max((drift.rise for drift in drifts), default=0.0)
    growth_s, growth_error_s = _stay_growth(tables, window)
    growing = rise > _MATERIAL_FRAC * num_arrived
    slowing = growth_s > max(_NUM_ERRORS * growth_error_s, _MATERIAL_FRAC * window.duration_s)
    if growing and slowing:
        done = _completion_frac(tables, view, window)
        return Stability(
            Verdict.UNSTABLE,
            f"over the window or its second half the backlog grew by {rise:.0f} requests "
            f"({rise / num_arrived:.1%} of arrivals) and the stay by {growth_s:.3g} s; "
            f"completions ran at {done:.1%} of arrivals",
        )
    num_shed = _num_shed(tables, view, max_request_tokens)
    if num_shed > _MATERIAL_FRAC * num_arrived:
        return Stability(
            Verdict.SATURATED,
            f"{num_shed / num_arrived:.1%} of requests were turned away by a full queue or timed out; the "
            "latencies are those of the rest",
        )
    if growing:
        return Stability(
            Verdict.STABLE,
            "the backlog rose with the traffic or still filled, but requests did not stay longer",
        )
    return Stability(Verdict.STABLE, "the backlog shows no growth over the window")


def _backlog(tables: ServingTables, window: Window) -> Array:
    """Requests in the system at evenly spaced instants of the window."""
    requests = tables.requests
    admitted = integers(requests, "status") != RequestStatus.REJECTED
    instants_s = np.linspace(window.started_at_s, window.ended_at_s, _NUM_SAMPLES + 1)[1:]
    left_at_s = floats(requests, "finished_at_s")[admitted]
    left_at_s = np.sort(left_at_s[np.isfinite(left_at_s)])
    num_arrived = np.searchsorted(floats(requests, "arrived_at_s")[admitted], instants_s, side="right")
    backlog: Array = (num_arrived - np.searchsorted(left_at_s, instants_s, side="right")).astype(np.float64)
    return backlog


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


def _stay_growth(tables: ServingTables, window: Window) -> tuple[float, float]:
    """How much longer the last third to leave in the window had stayed than the first third, and its error.

    Those who leave are compared, not those who arrive: the stay of a request still there is not known.
    """
    left_at_s = floats(tables.requests, "finished_at_s")
    left = np.flatnonzero(is_within(left_at_s, window.started_at_s, window.ended_at_s))
    left = left[np.argsort(left_at_s[left], kind="stable")]
    stay_s = left_at_s[left] - floats(tables.requests, "arrived_at_s")[left]
    third = len(stay_s) // 3
    if third < 2:
        return 0.0, math.inf
    early_s, late_s = stay_s[:third], stay_s[-third:]
    error_s = math.sqrt((float(early_s.var(ddof=1)) + float(late_s.var(ddof=1))) / third)
    return float(late_s.mean() - early_s.mean()), error_s


def _completion_frac(tables: ServingTables, view: RequestView, window: Window) -> float:
    finished_at_s = floats(tables.requests, "finished_at_s")
    return num_within(finished_at_s, window.started_at_s, window.ended_at_s) / len(view)


def _num_shed(tables: ServingTables, view: RequestView, max_request_tokens: int) -> int:
    """Requests turned away by load; one too long for the model or the KV cache is no sign of load."""
    part = slice(view.first, view.first + len(view))
    length = integers(tables.requests, "num_prompt_tokens") + integers(tables.requests, "num_output_tokens")
    is_rejected = (view.status == RequestStatus.REJECTED) & (length[part] <= max_request_tokens)
    return int(np.count_nonzero(is_rejected)) + view.num_with(RequestStatus.TIMED_OUT)


def worst(verdicts: list[Stability]) -> Stability:
    """The worst verdict of several replications."""
    return max(verdicts, key=lambda one: list(Verdict).index(one.verdict))
