"""Checkpoints that go to a store of the cluster, and come back from it."""

from __future__ import annotations

from collections.abc import Sequence

import simpy
from simpy.events import ProcessGenerator

from dcsim.sim.recurrence import Recurrence
from dcsim.sim.storage.store import Store
from dcsim.sim.storage.transfer import Transfer
from dcsim.sim.training.checkpointing import Save, SaveTimes
from dcsim.sim.training.kept_checkpoints import KeptCheckpoint, KeptCheckpoints
from dcsim.spec.training.checkpoint import CheckpointPlan


class StoredCheckpoints:
    """Saves and restores of one job through a store that others may use at the same time.

    A synchronous save stalls the steps until the store has all of it; an asynchronous one until the copy in
    host memory stands, and the write follows.
    """

    def __init__(self, environment: simpy.Environment, store: Store, plan: CheckpointPlan, job: str) -> None:
        self._environment, self._store, self._plan, self._job = environment, store, plan, job
        self._kept = KeptCheckpoints(store, plan)
        self._recurrence = Recurrence(
            environment, f"training.{job}.checkpoint: saves", "Lengthen its interval"
        )

    @property
    def steps_per_save(self) -> int | None:
        """Steps from one checkpoint to the next."""
        return self._plan.steps_per_save

    @property
    def times(self) -> SaveTimes | None:
        """None: others may use the store."""
        return None

    def save(self, nodes: Sequence[int]) -> Save:
        """Begin a checkpoint from these nodes."""
        self._recurrence.count()
        room = self._kept.begin(nodes)
        agreed = self._environment.timeout(self._plan.barrier_s)
        if not self._plan.is_asynchronous:
            written = self._environment.process(self._write_after(agreed, nodes, room))
            return Save(written, written)
        copied = self._environment.timeout(self._plan.stall_s)
        return Save(copied, self._environment.process(self._write_after(copied, nodes, room)))

    def restore(self, nodes: Sequence[int]) -> simpy.Event:
        """Begin to read the last checkpoint onto these nodes."""
        return self._environment.process(self._read(nodes))

    def _write_after(
        self, event: simpy.Event, nodes: Sequence[int], room: KeptCheckpoint
    ) -> ProcessGenerator:
        yield event
        yield self._write(nodes).durable
        self._kept.end(room)

    def _read(self, nodes: Sequence[int]) -> ProcessGenerator:
        plan = self._plan
        label = f"restore {self._job}"
        yield self._store.read(nodes, plan.num_restored_bytes, num_files=plan.num_files, label=label)
        yield self._environment.timeout(plan.barrier_s + plan.copy_s)

    def _write(self, nodes: Sequence[int]) -> Transfer:
        plan = self._plan
        label = f"checkpoint {self._job}"
        return self._store.write(nodes, plan.num_bytes, num_files=plan.num_files, label=label)
