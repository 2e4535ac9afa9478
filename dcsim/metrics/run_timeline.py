"""A workload over a whole run, bin by bin, warm-up and drain included."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from dcsim.metrics.columns import floats, integers
from dcsim.metrics.figures import Figure, Figures
from dcsim.metrics.latency import latencies
from dcsim.metrics.pools import workload_figures
from dcsim.metrics.queue import queue_spells
from dcsim.metrics.request_view import RequestView, view_requests
from dcsim.metrics.run_bins import RunBins
from dcsim.metrics.time_bins import BinnedSums
from dcsim.spec.deployment import ServingDeployment
from dcsim.spec.serving import Slo
from dcsim.tables import RequestStatus, ServingTables

_FEWEST_REQUESTS = 20  # in a bin, for percentiles
_TTFT_QUANTILES = {"p50": 0.50, "p99": 0.99}
_ENGINE_FIGURES = {  # of the timeline, by their names in the summary
    "output_tokens_per_s": "output_tokens_per_s",
    "computed_prompt_tokens_per_s": "computed_prompt_tokens_per_s",
    "kv_occupancy_frac": "kv_occupancy_frac",
    "utilization_frac": "utilization_frac",
    "accelerator_w": "accelerator_power_w",
}


def run_timeline(
    served: ServingDeployment, tables: ServingTables, bins: RunBins, sums: Sequence[BinnedSums]
) -> Figures:
    """Lists with an entry for each bin; ``sums`` are those of the rows of each pool in the same bins."""
    requests, edges_s = tables.requests, bins.edges_s()
    view = view_requests(requests, bins.span, served.request_overhead_s, Slo())
    is_finished = integers(requests, "status") == RequestStatus.FINISHED
    finished_at_s = floats(requests, "finished_at_s")[is_finished]
    waited_s = queue_spells(tables, served.request_overhead_s).waited_s(edges_s)
    return {
        "started_at_s": edges_s[:-1].tolist(),
        "bin_s": bins.bin_s,
        "offered_requests_per_s": (bins.counts(floats(requests, "arrived_at_s")) / bins.bin_s).tolist(),
        "finished_requests_per_s": (bins.counts(finished_at_s) / bins.bin_s).tolist(),
        **_engine_figures(served, bins, sums),
        "num_running": (np.sum([one.bins("sequence_s") for one in sums], axis=0) / bins.bin_s).tolist(),
        "num_waiting": (waited_s / bins.bin_s).tolist(),
        "ttft_s": _ttft_figures(view, bins),
    }


def _engine_figures(served: ServingDeployment, bins: RunBins, sums: Sequence[BinnedSums]) -> Figures:
    found = [workload_figures(served, sums, (at, at + 1), bins.bin_s) for at in range(bins.num_bins)]
    return {name: [one[known] for one in found] for name, known in _ENGINE_FIGURES.items()}


def _ttft_figures(view: RequestView, bins: RunBins) -> Figures:
    """Percentiles of the TTFT of the requests that arrived in each bin."""
    starts = bins.starts(view.arrived_at_s).tolist()
    quantiles, unknown = list(_TTFT_QUANTILES.values()), [None] * len(_TTFT_QUANTILES)
    found: list[list[Figure]] = []
    for low, high in pairwise(starts):
        ttft = latencies(view.part(low, high))["ttft_s"]
        found.append([*(ttft.percentiles(quantiles) if high - low >= _FEWEST_REQUESTS else unknown)])
    return {name: [one[at] for one in found] for at, name in enumerate(_TTFT_QUANTILES)}
