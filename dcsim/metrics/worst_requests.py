"""The worst requests of a run: those that finished last after they came, with what is known of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dcsim.metrics.columns import Integers
from dcsim.metrics.figures import Figure, Figures, finite
from dcsim.metrics.request_view import RequestView
from dcsim.tables import RequestStatus, Table

NUM_WORST = 20
_COLUMNS = (
    "replica",
    "arrived_at_s",
    "num_prompt_tokens",
    "num_output_tokens",
    "num_cached_tokens",
    "num_preemptions",
)
_LATENCIES = ("ttft_s", "tpot_s", "e2e_s", "queue_wait_s")


@dataclass(frozen=True, slots=True)
class Measured:
    """The requests of one replication, and those of them that are measured."""

    requests: Table
    view: RequestView


def worst_requests(measured: Sequence[Measured], latency: str) -> Figures:
    """Lists with an entry for each of the worst by a latency among all that finished, the worst first.

    Of equal ones the first of the first replication comes first.
    """
    ranked = [
        (-value_s, replication, at)
        for replication, one in enumerate(measured)
        for value_s, at in _worst(one.view, latency)
    ]
    chosen = [_about(measured[number], number, at) for _, number, at in sorted(ranked)[:NUM_WORST]]
    names = ("replication", "request", *_COLUMNS, *_LATENCIES)
    return {name: [one[name] for one in chosen] for name in names}


def _worst(view: RequestView, latency: str) -> list[tuple[float, int]]:
    """The worst requests of a view: their latency, and their place in it."""
    finished: Integers = np.flatnonzero(view.status == RequestStatus.FINISHED)
    values_s = getattr(view, latency)[finished]
    if len(finished) > NUM_WORST:
        least = len(finished) - NUM_WORST
        is_candidate = values_s >= np.partition(values_s, least)[least]
        finished, values_s = finished[is_candidate], values_s[is_candidate]
    order = np.argsort(-values_s, kind="stable")[:NUM_WORST]
    return list(zip(values_s[order].tolist(), finished[order].tolist(), strict=True))


def _about(one: Measured, replication: int, at: int) -> dict[str, Figure]:
    """What is known of the request at a place in the view."""
    row = one.view.first + at
    return {
        "replication": replication,
        "request": row,
        **{name: one.requests[name][row].item() for name in _COLUMNS},
        **{name: finite(getattr(one.view, name)[at]) for name in _LATENCIES},
    }
