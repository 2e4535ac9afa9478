"""KV transfers: how long caches take from one replica to another, and what requests wait for besides."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dcsim.formulas.estimation import percentile
from dcsim.metrics.columns import Array, Integers, Mask, floats, integers
from dcsim.metrics.figures import Figure, Figures, finite, ratio
from dcsim.metrics.latency import QUANTILES
from dcsim.metrics.queue import QueueSpells
from dcsim.metrics.request_view import RequestView
from dcsim.metrics.step_rows import OrderedSteps, Positions, engine_positions
from dcsim.metrics.window import Window
from dcsim.tables import ServingTables


def transfer_figures(tables: ServingTables, view: RequestView, window: Window) -> Figures:
    """The transfers of the requests that arrived in the window: how long they took, what they moved.

    ``wait_s`` is from the first token until the decoding replica had room. The rate is that of the bytes of
    these transfers over the window.
    """
    table = tables.kv_transfers
    request = integers(table, "request")
    is_counted = (request >= view.first) & (request < view.first + len(view))
    started_at_s = floats(table, "started_at_s")[is_counted]
    num_bytes = floats(table, "num_bytes")[is_counted]
    return {
        "num_transfers": len(num_bytes),
        "transfer_bytes": {"mean": finite(num_bytes.mean()) if len(num_bytes) else None},
        "bytes_per_s": ratio(float(num_bytes.sum()), window.duration_s),
        "wait_s": _distribution(started_at_s - floats(table, "prefilled_at_s")[is_counted]),
        "time_s": _distribution(floats(table, "ended_at_s")[is_counted] - started_at_s),
    }


def _distribution(times_s: Array) -> Figures:
    """Those under way when the simulation ended count as slower than all others."""
    known_s = times_s[~np.isnan(times_s)]
    found: dict[str, Figure] = {"mean": finite(known_s.mean()) if len(known_s) else None}
    beyond = len(times_s) - len(known_s)
    found.update(zip(QUANTILES, percentile(known_s, list(QUANTILES.values()), beyond), strict=True))
    found["max"] = finite(known_s.max()) if len(known_s) else None
    return {**found}


def transfer_spells(tables: ServingTables) -> QueueSpells:
    """When each request that was handed over began to wait for room to decode, and when it had it."""
    requests, transfers = tables.requests, tables.kv_transfers
    left_at_s = floats(requests, "finished_at_s").copy()  # of those that gave up while they waited
    left_at_s[integers(transfers, "request")] = floats(transfers, "started_at_s")
    was_handed_over = integers(requests, "prefill_engine") >= 0
    joined_at_s, left_at_s = floats(requests, "first_token_at_s")[was_handed_over], left_at_s[was_handed_over]
    order = np.argsort(joined_at_s, kind="stable")
    left_at_s = np.where(np.isfinite(left_at_s), left_at_s, np.inf)
    return QueueSpells(joined_at_s[order], np.maximum(left_at_s, joined_at_s)[order])


@dataclass(frozen=True, slots=True)
class Handovers:
    """Where requests went on: the engine of their prompt, and when they joined the batch that decodes."""

    prefill_engine: Integers  # of each request: the engine of its first token
    decoding_at_s: Array  # of each request: when it joined; its first token if it did not go elsewhere
    are_any: bool  # whether requests go elsewhere at all
    joined: Integers  # requests that did, and decoded there before they were preempted or gave up

    @classmethod
    def of(cls, tables: ServingTables) -> Handovers:
        """Those of a workload; without prefill replicas nobody goes elsewhere."""
        requests, transfers = tables.requests, tables.kv_transfers
        engine, prefill_engine = integers(requests, "engine"), integers(requests, "prefill_engine")
        decoding_at_s = floats(requests, "first_token_at_s").copy()
        request, joined_at_s = integers(transfers, "request"), floats(transfers, "decoding_at_s")
        decoding_at_s[request] = joined_at_s
        has_joined = np.isfinite(joined_at_s) & ~_was_lost_at_once(tables)[request]
        are_any = bool((prefill_engine >= 0).any())
        prefill_engine = np.where(prefill_engine >= 0, prefill_engine, engine)
        return cls(prefill_engine, decoding_at_s, are_any, np.sort(request[has_joined]))

    def first_gaps(self, tables: ServingTables, steps: OrderedSteps) -> FirstGaps:
        """The rows in which those that joined decode for the first time."""
        requests, engine = tables.requests, integers(tables.requests, "engine")[self.joined]
        positions, _ = engine_positions(steps, engine, self.decoding_at_s[self.joined])
        # a step of prompts alone, as prefill_first has, is passed over; nobody decodes beyond the last row
        decoding = np.flatnonzero(steps.column("num_decodes", slice(None)) > 0)
        place = np.searchsorted(decoding, positions)
        found = np.append(decoding, len(steps))[place]
        is_there = found < len(steps)
        is_there[is_there] &= steps.engine[found[is_there]] == engine[is_there]
        first_token_at_s = floats(requests, "first_token_at_s")[self.joined][is_there]
        order = np.argsort(found[is_there], kind="stable")
        return FirstGaps(found[is_there][order], first_token_at_s[order])


@dataclass(frozen=True, slots=True)
class FirstGaps:
    """Rows, in ascending order, whose first step ends a gap that began elsewhere, at the first token."""

    positions: Positions
    first_token_at_s: Array

    def within(self, first: int, num_rows: int) -> tuple[Positions, Array]:
        """Those of a chunk of rows: the row's place in it, and the first token."""
        low, high = np.searchsorted(self.positions, [first, first + num_rows])
        return self.positions[low:high] - first, self.first_token_at_s[low:high]


def _was_lost_at_once(tables: ServingTables) -> Mask:
    """Which requests were preempted with nothing but their first token: that gap is the preemption's."""
    requests, preemptions = tables.requests, tables.preemptions
    request = integers(preemptions, "request")
    last_at_s = floats(preemptions, "last_token_at_s")
    is_lost = np.zeros(len(requests), dtype=bool)
    is_lost[request[last_at_s == floats(requests, "first_token_at_s")[request]]] = True
    return is_lost
