"""The use of each replica in the measured window: a router that does not share out the load shows here."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dcsim.metrics.columns import Array, Integers, Mask, floats, integers, is_within
from dcsim.metrics.figures import Figures, ratio
from dcsim.metrics.pools import pools
from dcsim.metrics.step_rows import StepRows
from dcsim.metrics.window import Window
from dcsim.spec.deployment import ServingDeployment
from dcsim.tables import RequestStatus, Table

MAX_REPLICAS = 64


class ReplicaUse:
    """Collects busy time and output tokens of each replica in one window."""

    def __init__(self, served: ServingDeployment, window: Window) -> None:
        self._pools, self._window = pools(served), window
        self._num_replicas = self._pools[-1].replicas.stop
        self._num_lanes = np.zeros(self._num_replicas, dtype=np.int64)
        self._replica_of = np.zeros(self._pools[-1].engines.stop, dtype=np.int64)
        for pool in self._pools:
            self._num_lanes[pool.replicas.start : pool.replicas.stop] = pool.served.num_lanes
            self._replica_of[pool.engines.start : pool.engines.stop] = np.repeat(
                pool.replicas, pool.served.num_lanes
            )
        self._busy_s = np.zeros(self._num_replicas)
        self._num_output_tokens = np.zeros(self._num_replicas)

    def add(self, rows: StepRows, engine: npt.NDArray[np.generic]) -> None:
        """Add a chunk of rows, given the engine of each."""
        replica = self._replica_of[engine.astype(np.int64)]
        share = self._window.share_within(rows.started_at_s, rows.duration_s)
        self._busy_s += self._by_replica(replica, rows.duration_s * share)
        self._num_output_tokens += self._by_replica(replica, rows.num_steps * rows.num_sampled * share)

    def figures(self, requests: Table) -> Figures:
        """Lists with an entry for each replica, and the sum of those beyond the first 64.

        A prefill replica has finished with a request when its first token is there.
        """
        is_finished = integers(requests, "status") == RequestStatus.FINISHED
        source = integers(requests, "prefill_engine")
        num_finished = self._num_within(requests, "finished_at_s", is_finished, integers(requests, "replica"))
        sent_by = self._replica_of[source]
        num_finished += self._num_within(requests, "first_token_at_s", source >= 0, sent_by)
        shown = min(self._num_replicas, MAX_REPLICAS)
        use = [self._use(num_finished, at, at + 1) for at in range(shown)]
        return {
            "replica": list(range(shown)),
            "role": [pool.role.value for pool in self._pools for at in pool.replicas if at < shown],
            **{name: [one[name] for one in use] for name in use[0]},
            "rest": {
                "num_replicas": self._num_replicas - shown,
                **self._use(num_finished, shown, self._num_replicas),
            },
        }

    def _use(self, num_finished: Array, first: int, beyond: int) -> Figures:
        """The use of the replicas from ``first`` up to, not including, ``beyond``."""
        engine_s = float(self._num_lanes[first:beyond].sum()) * self._window.duration_s
        return {
            "num_finished": int(num_finished[first:beyond].sum()),
            "num_output_tokens": float(self._num_output_tokens[first:beyond].sum()),
            "utilization_frac": ratio(float(self._busy_s[first:beyond].sum()), engine_s),
        }

    def _num_within(self, requests: Table, instant: str, chosen: Mask, replica: Integers) -> Array:
        """How many of the chosen requests have an instant within the window, by replica."""
        span = self._window
        chosen = chosen & is_within(floats(requests, instant), span.started_at_s, span.ended_at_s)
        return self._by_replica(replica[chosen], np.ones(np.count_nonzero(chosen)))

    def _by_replica(self, replica: npt.NDArray[np.int64], values: Array) -> Array:
        return np.bincount(replica, weights=values, minlength=self._num_replicas).astype(np.float64)
