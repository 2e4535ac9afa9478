"""The checkpoints of a job that a store holds: those that are kept, and the one being written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dcsim.sim.storage.capacity import Holding
from dcsim.sim.storage.store import Store
from dcsim.spec.training.checkpoint import CheckpointPlan


@dataclass(frozen=True, slots=True, eq=False)
class KeptCheckpoint:
    """One of them: a whole one, or what has changed since the one before."""

    holding: Holding
    is_whole: bool


class KeptCheckpoints:
    """Takes room for each checkpoint when it is begun, and gives back what is not kept when one is safe.

    An increment needs all from its whole one on. What a lost node or an unfinished write has spoiled is
    dropped when the next one is begun.
    """

    def __init__(self, store: Store, plan: CheckpointPlan) -> None:
        self._store, self._plan = store, plan
        self._kept: list[KeptCheckpoint] = []
        self._under_way: KeptCheckpoint | None = None

    def begin(self, nodes: Sequence[int]) -> KeptCheckpoint:
        """Take room for one more. Raises InfeasibleError where there is none."""
        if self._under_way is not None:  # a failure came before it was safe
            self._store.release(self._under_way.holding)
        self._drop([one for one in self._kept if not one.holding.is_intact])
        chain_length = self._plan.full_every - 1  # increments after a whole one
        is_whole = not any(one.is_whole for one in self._kept[max(len(self._kept) - chain_length, 0) :])
        num_bytes = self._plan.num_whole_bytes if is_whole else self._plan.num_increment_bytes
        self._under_way = KeptCheckpoint(self._store.reserve(num_bytes, nodes), is_whole)
        return self._under_way

    def end(self, one: KeptCheckpoint) -> None:
        """It is safe: the oldest that nothing needs any more goes. Nothing happens if it was given up."""
        if one is not self._under_way:
            return
        self._kept.append(one)
        self._under_way = None
        oldest = max(len(self._kept) - self._plan.num_kept, 0)
        while oldest > 0 and not self._kept[oldest].is_whole:
            oldest -= 1
        self._drop(self._kept[:oldest])

    def _drop(self, some: Sequence[KeptCheckpoint]) -> None:
        for one in some:
            self._kept.remove(one)
            self._store.release(one.holding)
