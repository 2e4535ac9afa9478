"""A pool: replicas that are alike behind a router, their engines numbered one after another."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from dcsim.spec.deployment import ServingDeployment


class ReplicaPool:
    """Chooses the engine of a request: a replica by its router, of its lanes the least loaded."""

    def __init__(
        self,
        deployment: ServingDeployment,
        first_engine: int,
        num_outstanding: list[int],
        rng: np.random.Generator,
    ) -> None:
        self.deployment = deployment
        self.engines = range(first_engine, first_engine + deployment.num_engines)
        self._num_outstanding, self._rng = num_outstanding, rng
        self._router, self._num_lanes = deployment.router, deployment.num_lanes
        self._is_alone = (
            len(num_outstanding) == deployment.num_replicas
        )  # every engine is one of its replicas

    def choose(self, request: int, out: Collection[int] = ()) -> int | None:
        """The engine for a request, given the replicas that take none; None if no other is left."""
        if self._is_alone and not out:
            return self._router.choose(self._num_outstanding, request, self._rng)
        lanes, outstanding = self._num_lanes, self._num_outstanding
        starts = [
            start
            for replica, start in enumerate(range(self.engines.start, self.engines.stop, lanes))
            if replica not in out
        ]
        if not starts:
            return None
        loads = [sum(outstanding[start : start + lanes]) for start in starts]
        first = starts[self._router.choose(loads, request, self._rng)]
        return min(range(first, first + lanes), key=outstanding.__getitem__)
