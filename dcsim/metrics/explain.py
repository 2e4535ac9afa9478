"""Explain: where the time of the mean request and of the slow ones went. The parts add up to the whole.

A request's time is its front end (HTTP, tokeniser), its wait in the queue, what preemptions cost it, and
the two phases in which engine steps work for it: prefill up to its first token, decode after it. Each row
of the table steps has its time divided by cause; a request takes part in the rows that run between its
events, which coincide with the rows' boundaries. A cumulative count of events gives for each row the number
of requests in each phase, so that sums over requests are sums over rows.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from dcsim.metrics.columns import Array, Integers, Mask, floats, integers
from dcsim.metrics.figures import Figures, finite
from dcsim.metrics.kv_transfers import Handovers
from dcsim.metrics.request_view import RequestView
from dcsim.metrics.step_cost import CAUSES, RowCosts
from dcsim.metrics.step_rows import OrderedSteps, Positions, StepRows, engine_positions
from dcsim.tables import RequestStatus, Table

_TAIL_QUANTILE = 0.99
_TAIL_SHARE = 0.005  # of the requests, those about the 99th percentile: one alone would be an anecdote


@dataclass(frozen=True, slots=True)
class Events:
    """Instants of requests as places in the rows of the table steps, sorted by row."""

    positions: Positions
    shares: Array  # of the row that is over by then

    @classmethod
    def at(cls, steps: OrderedSteps, engine: npt.NDArray[np.int64], instants_s: Array) -> Events:
        """The events at these instants on these engines."""
        positions, shares = engine_positions(steps, engine, instants_s)
        order = np.argsort(positions, kind="stable")
        return cls(positions[order], shares[order])

    def num_ahead(self, low: int, num_rows: int) -> Array:
        """For each of the rows from ``low``: how many events lie after it; one inside counts by its share."""
        first, beyond = np.searchsorted(self.positions, [low, low + num_rows])
        at = self.positions[first:beyond] - low
        passed = first + np.cumsum(np.bincount(at, minlength=num_rows))
        inside = np.bincount(at, weights=self.shares[first:beyond], minlength=num_rows)
        ahead: Array = len(self.positions) - passed + inside
        return ahead


@dataclass(slots=True)
class Profile:
    """A group of requests and the sums of their time by part."""

    requests: npt.NDArray[np.int64]  # rows of the table
    total_s: float
    ttft_s: float
    front_end_s: float
    queue_wait_s: float
    preemption_s: float
    kv_transfer_s: float | None  # None without prefill replicas
    prefill: list[tuple[Events, Events]]  # from .. to; those after the first are taken out again
    decode: list[tuple[Events, Events]]
    prefill_s: Array = field(default_factory=lambda: np.zeros(len(CAUSES)))
    decode_s: Array = field(default_factory=lambda: np.zeros(len(CAUSES)))
    interference_s: float = 0.0

    def figures(self) -> Figures:
        """Means over the group. What no part explains is ``unattributed_s``: nothing but rounding."""
        num = max(len(self.requests), 1)
        waits_s = self.front_end_s + self.queue_wait_s + self.preemption_s + (self.kv_transfer_s or 0.0)
        steps_s = float(self.prefill_s.sum() + self.decode_s.sum()) + self.interference_s
        prefill: Figures = {
            cause: finite(part / num) for cause, part in zip(CAUSES, self.prefill_s, strict=True)
        }
        decode: Figures = {
            cause: finite(part / num) for cause, part in zip(CAUSES, self.decode_s, strict=True)
        }
        decode["interference_s"] = finite(self.interference_s / num)
        return {
            "num_requests": len(self.requests),
            "total_s": finite(self.total_s / num),
            "ttft_s": finite(self.ttft_s / num),
            "front_end_s": finite(self.front_end_s / num),
            "queue_wait_s": finite(self.queue_wait_s / num),
            "preemption_s": finite(self.preemption_s / num),
            **({} if self.kv_transfer_s is None else {"kv_transfer_s": finite(self.kv_transfer_s / num)}),
            "prefill": prefill,
            "decode": decode,
            "unattributed_s": finite((self.total_s - waits_s - steps_s) / num),
        }


def add_rows(profiles: Collection[Profile], rows: StepRows, costs: RowCosts) -> None:
    """Add to each profile the time that its requests spent in a chunk of rows."""
    parts = np.column_stack([costs.time_s, costs.decode_s, costs.interference_s])
    counts = [_num_within(phase, rows) for one in profiles for phase in (one.prefill, one.decode)]
    sums = np.stack(counts) @ parts
    num = len(CAUSES)
    for index, one in enumerate(profiles):
        one.prefill_s += sums[2 * index, :num]
        one.decode_s += sums[2 * index + 1, num : 2 * num]
        one.interference_s += float(sums[2 * index + 1, 2 * num])


def _num_within(intervals: list[tuple[Events, Events]], rows: StepRows) -> Array:
    """For each row, the number of requests inside the first intervals but not inside the later ones."""
    counts = np.zeros(len(rows))
    for index, (begin, end) in enumerate(intervals):
        if len(begin.positions):
            inside = end.num_ahead(rows.first, len(rows)) - begin.num_ahead(rows.first, len(rows))
            counts += inside if index == 0 else -inside
    return counts


@dataclass(frozen=True, slots=True)
class Held:
    """Times that requests lost to preemptions: from the loss of the blocks to the next token."""

    request: npt.NDArray[np.int64]
    from_s: Array
    to_s: Array


def held_by_preemptions(preemptions: Table) -> Held:
    """The times lost; several preemptions before one token are one loss, from the first of them on."""
    to_s, from_s = floats(preemptions, "next_token_at_s"), floats(preemptions, "preempted_at_s")
    request = integers(preemptions, "request")
    ended = np.isfinite(to_s)
    order = np.lexsort((from_s[ended], to_s[ended], request[ended]))
    request, from_s, to_s = request[ended][order], from_s[ended][order], to_s[ended][order]
    is_new = np.ones(len(request), dtype=bool)
    is_new[1:] = (request[1:] != request[:-1]) | (to_s[1:] != to_s[:-1])
    return Held(request[is_new], from_s[is_new], to_s[is_new])


@dataclass(frozen=True, slots=True)
class Explainer:
    """What profiles are made from: the tables, and the engine of each request."""

    steps: OrderedSteps
    requests: Table
    engine: npt.NDArray[np.int64]
    handovers: Handovers
    held: Held
    request_overhead_s: float

    def profile(self, chosen: npt.NDArray[np.int64]) -> Profile:
        """The profile of a group of finished requests, given by their rows in ascending order."""
        arrived, scheduled, first, finished = (
            floats(self.requests, name)[chosen]
            for name in ("arrived_at_s", "scheduled_at_s", "first_token_at_s", "finished_at_s")
        )
        engine, source = self.engine[chosen], self.handovers.prefill_engine[chosen]
        decoding = self.handovers.decoding_at_s[chosen]
        begun, prefilled = (Events.at(self.steps, source, at) for at in (scheduled, first))
        moved, ended = (Events.at(self.steps, engine, at) for at in (decoding, finished))
        place = np.searchsorted(chosen, self.held.request)
        is_member = np.zeros(len(place), dtype=bool)
        known = place < len(chosen)
        is_member[known] = chosen[place[known]] == self.held.request[known]
        request = self.held.request[is_member]
        from_s, to_s = self.held.from_s[is_member], self.held.to_s[is_member]
        in_prefill = to_s <= floats(self.requests, "first_token_at_s")[request]
        return Profile(
            requests=chosen,
            total_s=float((finished - arrived).sum()),
            ttft_s=float((first - arrived).sum()),
            front_end_s=self.request_overhead_s * len(chosen),
            queue_wait_s=float((scheduled - arrived).sum()) - self.request_overhead_s * len(chosen),
            preemption_s=float((to_s - from_s).sum()),
            kv_transfer_s=float((decoding - first).sum()) if self.handovers.are_any else None,
            prefill=[
                (begun, prefilled),
                self._losses(self.handovers.prefill_engine, request, from_s, to_s, in_prefill),
            ],
            decode=[
                (moved, ended),
                self._losses(self.engine, request, from_s, to_s, ~in_prefill),
            ],
        )

    def _losses(
        self, engine_of: Integers, request: Integers, from_s: Array, to_s: Array, chosen: Mask
    ) -> tuple[Events, Events]:
        engine = engine_of[request[chosen]]
        return Events.at(self.steps, engine, from_s[chosen]), Events.at(self.steps, engine, to_s[chosen])


def explained_groups(view: RequestView) -> dict[str, npt.NDArray[np.int64]]:
    """Rows of the requests explained: all that finished, and those about the p99 of TTFT and of E2E."""
    finished = np.flatnonzero(view.status == RequestStatus.FINISHED)
    return {
        "mean": finished + view.first,
        "p99_ttft": _about_tail(finished, view.ttft_s) + view.first,
        "p99_e2e": _about_tail(finished, view.e2e_s) + view.first,
    }


def _about_tail(finished: npt.NDArray[np.intp], latency_s: Array) -> npt.NDArray[np.intp]:
    num = len(finished)
    if num == 0:
        return finished
    rank = _TAIL_QUANTILE * (num - 1)
    half = _TAIL_SHARE * num / 2.0
    low = min(max(int(np.ceil(rank - half)), 0), round(rank))
    high = max(min(int(np.floor(rank + half)), num - 1), round(rank))
    order = np.argpartition(latency_s[finished], [low, high])
    return np.sort(finished[order[low : high + 1]])
