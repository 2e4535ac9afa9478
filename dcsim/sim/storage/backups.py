"""Backups: copies of what a store holds, taken now and then, and tests that they can be read back."""

from __future__ import annotations

from collections.abc import Generator, Sequence

import simpy

from dcsim.sim.recurrence import Recurrence
from dcsim.sim.storage.capacity import Holding
from dcsim.sim.storage.store import Store
from dcsim.spec.storage import BackupSpec

BACKUP, RESTORE_TEST = "backup", "restore test"


class Backups:
    """Copies a store to another every so often, and reads the last copy back every so often.

    A copy reads and writes at once, in competition with all else that uses the two stores; the copy before
    is dropped when it is done. A copy that takes longer than the time between two delays the next one.
    """

    def __init__(
        self,
        environment: simpy.Environment,
        source: Store,
        target: Store,
        spec: BackupSpec,
        *,
        num_cluster_nodes: int,
    ) -> None:
        self._environment = environment
        self._source, self._target = source, target
        self._spec = spec
        self._nodes: Sequence[int] = range(min(spec.num_nodes, num_cluster_nodes))
        self._last: Holding | None = None
        self.num_copies = 0
        self.num_tests = 0
        path = f"cluster.storage.{source.deployment.name}.backup"
        self._recurrence = Recurrence(environment, f"{path}: copies", "Lengthen every")
        environment.process(self._copy_repeatedly())
        if spec.restore_test_s is not None:
            environment.process(self._test_repeatedly(spec.restore_test_s))

    def _copy_repeatedly(self) -> Generator[simpy.Event, object, None]:
        while True:
            yield self._environment.timeout(self._spec.every_s)
            self._recurrence.count()
            num_bytes = self._source.used_bytes * self._spec.changed_frac
            if num_bytes > 0.0:
                yield from self._copy(num_bytes)

    def _copy(self, num_bytes: float) -> Generator[simpy.Event, object, None]:
        """Copy so many bytes, in the place of the last copy. Raises InfeasibleError where they do not fit."""
        holding = self._target.reserve(self._source.used_bytes, self._nodes, what=BACKUP)
        read = self._source.read(self._nodes, num_bytes, label=BACKUP)
        write = self._target.write(self._nodes, num_bytes, label=BACKUP)
        yield simpy.AllOf(self._environment, (read, write))
        if self._last is not None:
            self._target.release(self._last)
        self._last = holding
        self.num_copies += 1

    def _test_repeatedly(self, every_s: float) -> Generator[simpy.Event, object, None]:
        while True:
            yield self._environment.timeout(every_s)
            self._recurrence.count()
            if self._last is not None:
                yield self._target.read(self._nodes, self._last.num_bytes, label=RESTORE_TEST)
                self.num_tests += 1
