"""Latencies of requests: TTFT, TPOT, E2E and queue wait."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dcsim.formulas.estimation import percentile
from dcsim.metrics.columns import Array, Mask
from dcsim.metrics.figures import Figure, Figures, finite
from dcsim.metrics.request_view import RequestView
from dcsim.tables import RequestStatus

QUANTILES = {"p50": 0.50, "p90": 0.90, "p95": 0.95, "p99": 0.99}
LATENCIES = ("ttft_s", "tpot_s", "itl_s", "e2e_s", "queue_wait_s")


@dataclass(frozen=True, slots=True)
class Latency:
    """One latency of the requests that were served, in order of arrival."""

    known_s: Array  # of those that got so far
    num_beyond: int  # those that never did

    def percentiles(self, quantiles: Sequence[float]) -> list[float | None]:
        """Percentiles over all that were served; None where one falls among those that never got so far."""
        return percentile(self.known_s, quantiles, self.num_beyond)


def latencies(view: RequestView) -> dict[str, Latency]:
    """The latencies of requests.

    Percentiles count the requests that were served but never got so far (timed out, unfinished) as slower
    than all others: a percentile that falls among them is None, not a number that leaves them out. Mean and
    maximum are those of the requests that did. Rejected requests were not served and have no latency.
    """
    is_served = view.status != RequestStatus.REJECTED
    return {
        "ttft_s": _latency(view.ttft_s, is_served),
        "tpot_s": _latency(view.tpot_s, is_served & view.has_several_tokens),
        "e2e_s": _latency(view.e2e_s, is_served),
        "queue_wait_s": _latency(view.queue_wait_s, is_served),
    }


def latency_figures(view: RequestView) -> Figures:
    """The distributions over requests: see :func:`latencies`."""
    return {name: _distribution(latency) for name, latency in latencies(view).items()}


def pooled(parts: Sequence[Latency]) -> Latency:
    """One latency over the requests of several replications."""
    known_s = parts[0].known_s if len(parts) == 1 else np.concatenate([one.known_s for one in parts])
    return Latency(known_s, sum(one.num_beyond for one in parts))


def _latency(latency_s: Array, is_counted: Mask) -> Latency:
    known_s = latency_s[is_counted & ~np.isnan(latency_s)]
    return Latency(known_s, int(np.count_nonzero(is_counted)) - len(known_s))


def _distribution(latency: Latency) -> dict[str, Figure]:
    known_s = latency.known_s
    figures: dict[str, Figure] = {"mean": finite(known_s.mean()) if len(known_s) else None}
    figures.update(zip(QUANTILES, latency.percentiles(list(QUANTILES.values())), strict=True))
    figures["max"] = finite(known_s.max()) if len(known_s) else None
    return figures
