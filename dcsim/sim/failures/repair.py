"""The repair shop: failed nodes, in order, repaired by as many crews as there are."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import cast

import numpy as np
import simpy


class RepairShop:
    """Repairs take exponential times; nodes wait for a crew first come, first served."""

    def __init__(
        self, environment: simpy.Environment, num_crews: int | None, rng: np.random.Generator
    ) -> None:
        self._environment, self._num_crews, self._rng = environment, num_crews, rng
        self._waiting: deque[tuple[float, Callable[[], None]]] = deque()
        self._num_busy = 0

    @property
    def num_inside(self) -> int:
        """Nodes in repair or waiting for it."""
        return self._num_busy + len(self._waiting)

    def take_in(self, mean_s: float, on_done: Callable[[], None]) -> None:
        """Repair one node, and call back when it is done."""
        if self._num_crews is not None and self._num_busy >= self._num_crews:
            self._waiting.append((mean_s, on_done))
        else:
            self._begin(mean_s, on_done)

    def _begin(self, mean_s: float, on_done: Callable[[], None]) -> None:
        self._num_busy += 1
        event = self._environment.timeout(float(self._rng.exponential(mean_s)), on_done)
        event.callbacks.append(self._end)

    def _end(self, event: simpy.Event) -> None:
        self._num_busy -= 1
        if self._waiting:
            self._begin(*self._waiting.popleft())
        cast(Callable[[], None], event.value)()
