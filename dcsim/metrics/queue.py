"""The queue: how long requests wait for their first step, and how many do."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dcsim.metrics.columns import Array, floats, integers
from dcsim.metrics.window import Window
from dcsim.tables import RequestStatus, ServingTables


@dataclass(frozen=True, slots=True)
class QueueSpells:
    """When each request that was not turned away joined the scheduler's queue, and when it left it.

    It leaves with its first step or when it times out, and never (infinity) if neither came. The renewed wait
    of a preempted request is left out: it has been worked on, and the table requests does not tell it.
    """

    joined_at_s: Array
    left_at_s: Array

    def mean_num_waiting(self, window: Window) -> float | None:
        """Requests waiting, mean over the window: the time that they waited in it over its length.

        By Little's law (Little, A proof for the queuing formula L = lambda W, Operations Research 9(3), 1961)
        this is rate x mean wait. 10 requests/s that wait 0.2 s each are 2 requests waiting.
        """
        if window.duration_s <= 0:
            return None
        low_s = np.maximum(self.joined_at_s, window.started_at_s)
        high_s = np.minimum(self.left_at_s, window.ended_at_s)
        return float(np.maximum(high_s - low_s, 0.0).sum()) / window.duration_s

    def waited_s(self, edges_s: Array) -> Array:
        """The time that requests waited in each bin between ascending edges, in request-seconds."""
        beyond, has_waited = len(edges_s), self.left_at_s > self.joined_at_s
        num_waiting = np.zeros(beyond + 1)  # at the end of each bin; the first and the last lie outside
        waited_s = np.zeros(beyond + 1)
        # as if those that wait at the end of a bin had waited all along it, less what came before they
        # joined, and what those that left had waited in it
        for instants_s, sign in ((self.joined_at_s[has_waited], 1.0), (self.left_at_s[has_waited], -1.0)):
            bins = np.searchsorted(edges_s, instants_s, side="right")
            num_waiting += sign * np.cumsum(np.bincount(bins, minlength=beyond + 1))
            is_inside = (bins > 0) & (bins < beyond)
            since_s = instants_s[is_inside] - edges_s[bins[is_inside] - 1]
            waited_s -= sign * np.bincount(bins[is_inside], weights=since_s, minlength=beyond + 1)
        waited_s[1:-1] += num_waiting[1:-1] * np.diff(edges_s)
        return np.maximum(waited_s[1:-1], 0.0)  # rounding

    def num_waiting(self, instants_s: Array) -> Array:
        """Requests waiting at each instant."""
        num_joined = np.searchsorted(np.sort(self.joined_at_s), instants_s, side="right")
        num_left = np.searchsorted(np.sort(self.left_at_s), instants_s, side="right")
        num: Array = (num_joined - num_left).astype(np.float64)
        return num

    def longest_wait_s(self, instants_s: Array) -> Array:
        """How long the one that waits longest has waited at each instant; zero where nobody waits."""
        # in order of arrival, the first that leaves after an instant is where the latest departure so far
        # first exceeds it
        first = np.searchsorted(np.maximum.accumulate(self.left_at_s), instants_s, side="right")
        joined_at_s = np.append(self.joined_at_s, np.inf)[first]
        wait_s: Array = np.maximum(instants_s - joined_at_s, 0.0)
        return wait_s


def queue_spells(tables: ServingTables, request_overhead_s: float) -> QueueSpells:
    """The spells in the queue, which a request reaches ``request_overhead_s`` after its arrival."""
    requests = tables.requests
    is_admitted = integers(requests, "status") != RequestStatus.REJECTED
    scheduled_at_s = floats(requests, "scheduled_at_s")[is_admitted]
    ended_at_s = floats(requests, "finished_at_s")[is_admitted]
    left_at_s = np.where(np.isfinite(scheduled_at_s), scheduled_at_s, ended_at_s)
    joined_at_s = floats(requests, "arrived_at_s")[is_admitted] + request_overhead_s
    # rounding may put the start of a step just before a queue that is empty
    left_at_s = np.maximum(np.where(np.isfinite(left_at_s), left_at_s, np.inf), joined_at_s)
    return QueueSpells(joined_at_s, left_at_s)
