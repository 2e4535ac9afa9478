"""The gang of a training job that waits in the job scheduler's queue: all its nodes at once, or none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from dcsim.errors import InfeasibleError
from dcsim.sim.failures.failure import Drain, Failure
from dcsim.sim.failures.process import FailureProcess
from dcsim.sim.holdings import Holder
from dcsim.sim.jobs.job_cluster import JobCluster
from dcsim.sim.jobs.job_run import JobRun
from dcsim.sim.jobs.modelled_work import Stop
from dcsim.sim.training.gang import GangOwner, GangSize
from dcsim.tables.holdings import HolderKind


class ScheduledGangOwner(GangOwner, Protocol):
    """The job, as its gang sees it."""

    @property
    def left_frac(self) -> float:
        """Share of its steps that are not done."""

    def on_stop(self, stop: Stop) -> None:
        """All its nodes are others' from now on."""


@dataclass(slots=True, eq=False)
class QueuedTraining:
    """A training job as the queue has it."""

    name: str
    run: JobRun
    restart_s: float  # that the scheduler expects of a run after a stop, without progress
    cluster: JobCluster | None = None  # where it waits and runs, once that is built


def admit(queued: Sequence[QueuedTraining], cluster: JobCluster, num_there: int) -> None:
    """Let training jobs wait in a cluster's queue.

    Raises InfeasibleError for one that could never start on the ``num_there`` accelerators of its pool.
    """
    for one in queued:
        one.cluster, num_asked = cluster, one.run.job.request.num_accelerators
        reason = cluster.refusal(one.run)
        if num_asked > num_there:
            reason = (
                f"asks for whole nodes with {num_asked:g} accelerators, and beside other training, spares "
                f"and serving that does not lend there are {num_there}"
            )
        if reason:
            raise InfeasibleError(
                f"training.{one.name}: waits in the queue and could never start: {reason}. Give it fewer "
                "nodes, or raise cluster.num_nodes or its quota"
            )


class ScheduledGang:
    """Nodes of one job, which the scheduler gives and takes. The pool's holder is told of their failures."""

    has_replacement = False  # nodes that should leave take the whole gang with them

    def __init__(
        self, size: GangSize, failures: FailureProcess, queued: QueuedTraining, owner: ScheduledGangOwner
    ) -> None:
        self.num_nodes = size.num_nodes
        self.holder = Holder(HolderKind.TRAINING, size.job)
        self.num_accelerators_per_node = size.num_accelerators / size.num_nodes
        self._failures, self._queued, self._owner = failures, queued, owner
        self._nodes: tuple[int, ...] = ()
        self._is_exposed = False
        queued.run.work = self

    def __len__(self) -> int:
        return len(self._nodes)

    @property
    def nodes(self) -> tuple[int, ...]:
        """The nodes held, sorted."""
        return self._nodes

    @property
    def num_missing(self) -> int:
        """Nodes that it lacks: all or none."""
        return self.num_nodes - len(self._nodes)

    @property
    def slow_factor(self) -> float:
        """The pace of its slowest node."""
        return self._failures.slow_factor(self._nodes)

    @property
    def restart_s(self) -> float:
        """What the scheduler expects to pass without progress at the beginning of a run after a stop."""
        return self._queued.restart_s

    @property
    def left_frac(self) -> float:
        """Share of its work that is not done."""
        return self._owner.left_frac

    def gather(self, *, is_replacement: bool) -> None:
        """Wait in the queue for all that are missing."""
        cluster, run = self._queued.cluster, self._queued.run
        assert cluster is not None
        if not self.num_missing:
            return
        if is_replacement:
            cluster.resubmit(run)
        else:
            cluster.submit(run)

    def take_free(self) -> None:
        """Nothing: it never computes on a part of its nodes."""

    def ask_for_replacements(self) -> None:
        """Nothing: it has all its nodes."""

    def expose(self) -> None:
        """It computes from now on: failures that hit jobs may hit it whenever it has nodes."""

    def shed(self) -> None:
        """Nothing: nodes that must leave have left."""

    def leave(self) -> None:
        """It knows now that it has no nodes."""
        self._nodes = ()

    def disband(self) -> None:
        """The job has ended."""
        assert self._queued.cluster is not None
        self._hide()
        self.leave()
        self._queued.cluster.finish(self._queued.run)

    # --- what the cluster tells it ----------------------------------------------------------------

    def on_start(self, nodes: tuple[int, ...]) -> None:
        """Nodes have come."""
        self._nodes = tuple(sorted(nodes))
        self._is_exposed = True
        self._failures.add_job(self)
        self._owner.on_change()

    def on_stop(self, stop: Stop) -> None:
        """They are others' from now on."""
        self._hide()
        self._owner.on_stop(stop)

    def on_slow(self, node: int) -> None:
        """A node has become slow, and so has the gang if it has it."""
        if node in self._nodes:
            self._owner.on_change()

    # --- what the process of failures tells it: of crashes of the job alone -------------------------

    def on_failure(self, failure: Failure) -> None:
        """The job crashed, and its nodes stay."""
        self._owner.on_failure(failure)

    def on_drain(self, drain: Drain) -> None:
        """Its nodes are the pool's: it is stopped by that."""

    def _hide(self) -> None:
        if self._is_exposed:
            self._is_exposed = False
            self._failures.remove_job(self)
