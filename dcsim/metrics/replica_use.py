"""The use of each replica in the measured window: a router that does not share out the load shows here."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dcsim.metrics.columns import Array, floats, integers, is_within
from dcsim.metrics.figures import Figures, ratio
from dcsim.metrics.step_rows import StepRows
from dcsim.metrics.window import Window
from dcsim.spec.deployment import ServingDeployment
from dcsim.tables import RequestStatus, Table

MAX_REPLICAS = 64


class ReplicaUse:
    """Collects busy time and output tokens of each replica in one window."""

    def __init__(self, served: ServingDeployment, window: Window) -> None:
        self._num_lanes = served.num_lanes
        self._num_replicas = served.num_replicas
        self._window = window
        self._busy_s = np.zeros(served.num_replicas)
        self._num_output_tokens = np.zeros(served.num_replicas)

    def add(self, rows: StepRows, engine: npt.NDArray[np.generic]) -> None:
        """Add a chunk of rows, given the engine of each."""
        replica = engine.astype(np.int64) // self._num_lanes
        share = self._window.share_within(rows.started_at_s, rows.duration_s)
        self._busy_s += self._by_replica(replica, rows.duration_s * share)
        self._num_output_tokens += self._by_replica(replica, rows.num_steps * rows.num_sampled * share)

    def figures(self, requests: Table) -> Figures:
        """Lists with an entry for each replica, and the sum of those beyond the first 64."""
        is_counted = is_within(
            floats(requests, "finished_at_s"), self._window.started_at_s, self._window.ended_at_s
        )
        is_counted &= integers(requests, "status") == RequestStatus.FINISHED
        replica = integers(requests, "replica")[is_counted]
        num_finished = self._by_replica(replica, np.ones(len(replica)))
        shown = min(self._num_replicas, MAX_REPLICAS)
        use = [self._use(num_finished, at, at + 1) for at in range(shown)]
        return {
            "replica": list(range(shown)),
            **{name: [one[name] for one in use] for name in use[0]},
            "rest": {
                "num_replicas": self._num_replicas - shown,
                **self._use(num_finished, shown, self._num_replicas),
            },
        }

    def _use(self, num_finished: Array, first: int, beyond: int) -> Figures:
        """The use of the replicas from ``first`` up to, not including, ``beyond``."""
        engine_s = (beyond - first) * self._num_lanes * self._window.duration_s
        return {
            "num_finished": int(num_finished[first:beyond].sum()),
            "num_output_tokens": float(self._num_output_tokens[first:beyond].sum()),
            "utilization_frac": ratio(float(self._busy_s[first:beyond].sum()), engine_s),
        }

    def _by_replica(self, replica: npt.NDArray[np.int64], values: Array) -> Array:
        return np.bincount(replica, weights=values, minlength=self._num_replicas).astype(np.float64)
