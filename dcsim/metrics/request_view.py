"""Requests as metrics see them: latencies, what is known of the others, and who met the SLO."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dcsim.metrics.columns import Array, Integers, Mask, floats, integers
from dcsim.metrics.window import Window
from dcsim.spec.serving import Slo
from dcsim.tables import RequestStatus, Table


@dataclass(frozen=True, slots=True)
class RequestView:
    """The requests that arrived in a window, in order of arrival. Undefined latencies are NaN."""

    first: int  # row of the first of them in the table
    status: Integers
    arrived_at_s: Array
    ttft_s: Array
    tpot_s: Array
    e2e_s: Array
    queue_wait_s: Array
    has_several_tokens: Mask
    is_good: Mask  # finished, and within every limit of the SLO
    num_preemptions: Integers

    def __len__(self) -> int:
        return len(self.status)

    def num_with(self, status: RequestStatus) -> int:
        """How many ended so."""
        return int(np.count_nonzero(self.status == status))

    def part(self, low: int, high: int) -> RequestView:
        """The view's requests from ``low`` up to, not including, ``high``."""
        columns = {name: getattr(self, name)[low:high] for name in self.__slots__ if name != "first"}
        return RequestView(self.first + low, **columns)

    def during(self, window: Window) -> RequestView:
        """Those of the view that arrived in a part of its window, the part's end not included."""
        ends = np.searchsorted(self.arrived_at_s, [window.started_at_s, window.ended_at_s])
        return self.part(int(ends[0]), int(ends[1]))


def view_requests(requests: Table, window: Window, request_overhead_s: float, slo: Slo) -> RequestView:
    """The requests that arrived in the window.

    TTFT and E2E count from arrival; the queue wait counts from the scheduler's queue, which a request reaches
    ``request_overhead_s`` after its arrival. TPOT is (finish - first token) / (output tokens - 1).
    """
    all_arrived_at_s = floats(requests, "arrived_at_s")
    low = int(np.searchsorted(all_arrived_at_s, window.started_at_s, side="left"))
    high = int(np.searchsorted(all_arrived_at_s, window.ended_at_s, side="right"))
    status = integers(requests, "status")[low:high]
    arrived_at_s = all_arrived_at_s[low:high]
    scheduled_at_s, first_token_at_s, finished_at_s = (
        floats(requests, name)[low:high] for name in ("scheduled_at_s", "first_token_at_s", "finished_at_s")
    )
    num_output_tokens = integers(requests, "num_output_tokens")[low:high]
    is_finished = status == RequestStatus.FINISHED
    has_several_tokens = num_output_tokens > 1
    ttft_s = first_token_at_s - arrived_at_s
    e2e_s = np.where(is_finished, finished_at_s - arrived_at_s, np.nan)
    gaps = np.where(has_several_tokens & is_finished, num_output_tokens - 1.0, np.nan)
    tpot_s = (finished_at_s - first_token_at_s) / gaps
    # rounding may put the start of a step just before a queue that is empty
    queue_wait_s = np.maximum(scheduled_at_s - arrived_at_s - request_overhead_s, 0.0)
    is_good = is_finished.copy()
    for limit_s, latency_s in ((slo.ttft_s, ttft_s), (slo.tpot_s, tpot_s), (slo.e2e_s, e2e_s)):
        if limit_s is not None:
            # a latency that a finished request does not have (TPOT of one token) cannot miss its limit
            is_good &= ~(latency_s > limit_s)
    return RequestView(
        low, status, arrived_at_s, ttft_s, tpot_s, e2e_s, queue_wait_s, has_several_tokens, is_good,
        integers(requests, "num_preemptions")[low:high],
    )  # fmt: skip
