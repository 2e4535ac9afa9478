"""Reshuffling: between epochs a data set is written anew, in another order, to the store that it lies on."""

from __future__ import annotations

import math
from collections.abc import Sequence

import simpy

from dcsim.formulas.storage import Access
from dcsim.sim.recurrence import Recurrence
from dcsim.sim.storage.store import Store

RESHUFFLE = "reshuffle"


class Reshuffling:
    """The shuffles of one job. Each reads and writes all of the data set at once, and takes no more room.

    One that is under way goes on whatever happens to the job; steps that a failure undoes read the new order.
    """

    def __init__(
        self, environment: simpy.Environment, store: Store, access: Access, steps_per_epoch: float, job: str
    ) -> None:
        self.num_done = 0
        self._environment, self._store = environment, store
        self._access, self._steps_per_epoch = access, steps_per_epoch
        self._label = f"{RESHUFFLE} {job}"
        self._shuffling: simpy.Event | None = None
        self._recurrence = Recurrence(
            environment, f"training.{job}.dataset: shuffles", "Remove reshuffle, or read more data"
        )

    @property
    def next_position(self) -> float:
        """Steps after which the next one is due: the first whole step at the end of its epoch, or later."""
        return float(math.ceil((self.num_done + 1) * self._steps_per_epoch))

    def shuffle(self, nodes: Sequence[int]) -> simpy.Event:
        """Begin the next one from these nodes, or go on with the one under way."""
        if self._shuffling is None:
            self._recurrence.count()
            num_bytes, num_files = self._access.num_bytes, self._access.num_files
            read = self._store.read(nodes, num_bytes, num_files=num_files, label=self._label)
            write = self._store.write(nodes, num_bytes, num_files=num_files, label=self._label)
            self._shuffling = simpy.AllOf(self._environment, (read, write))
            assert self._shuffling.callbacks is not None
            self._shuffling.callbacks.append(self._finish)
        return self._shuffling

    def _finish(self, _: simpy.Event) -> None:
        self._shuffling = None
        self.num_done += 1
