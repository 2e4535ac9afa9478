"""Latencies of requests: TTFT, TPOT, E2E and queue wait."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dcsim.formulas.estimation import percentile
from dcsim.metrics.figures import Figure, Figures, finite
from dcsim.metrics.request_view import RequestView
from dcsim.tables import RequestStatus

QUANTILES = {"p50": 0.50, "p90": 0.90, "p95": 0.95, "p99": 0.99}
LATENCIES = ("ttft_s", "tpot_s", "itl_s", "e2e_s", "queue_wait_s")


def latency_figures(view: RequestView) -> Figures:
    """The distributions over requests.

    Percentiles count the requests that were served but never got so far (timed out, unfinished) as slower
    than all others: a percentile that falls among them is None, not a number that leaves them out. Mean and
    maximum are those of the requests that did. Rejected requests were not served and have no latency.
    """
    is_served = view.status != RequestStatus.REJECTED
    return {
        "ttft_s": _distribution(view.ttft_s, is_served),
        "tpot_s": _distribution(view.tpot_s, is_served & view.has_several_tokens),
        "e2e_s": _distribution(view.e2e_s, is_served),
        "queue_wait_s": _distribution(view.queue_wait_s, is_served),
    }


def _distribution(latency_s: npt.NDArray[np.float64], is_counted: npt.NDArray[np.bool_]) -> dict[str, Figure]:
    known = latency_s[is_counted & ~np.isnan(latency_s)]
    num_beyond = int(np.count_nonzero(is_counted)) - len(known)
    found = percentile(known, list(QUANTILES.values()), num_beyond)
    figures: dict[str, Figure] = {"mean": finite(known.mean()) if len(known) else None}
    figures.update(zip(QUANTILES, found, strict=True))
    figures["max"] = finite(known.max()) if len(known) else None
    return figures
