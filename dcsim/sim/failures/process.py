"""The process of failures: draws them on the clock, tells who is hit, and sends nodes to repair and back."""

from __future__ import annotations

import math
from collections.abc import Callable, Container
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import cast

import simpy

from dcsim.catalog.reliability import Cause, Component, Domain
from dcsim.errors import InfeasibleError
from dcsim.sim.failures.clock_set import ClockSet
from dcsim.sim.failures.clocks import Due
from dcsim.sim.failures.failure import Drain, Effect, Failure, NodeListener
from dcsim.sim.failures.log import FailureLog
from dcsim.sim.failures.node_states import NodeStates
from dcsim.sim.failures.repair import RepairShop
from dcsim.sim.holdings import Holder, HoldingLog
from dcsim.sim.streams import Streams
from dcsim.spec.reliability import ClusterShape, Maintenance, Reliability
from dcsim.tables.holdings import HolderKind
from dcsim.units import span_text
from dcsim.workloads.failure_time import ANY_NODE, LifeDistribution

MAX_FAILURES = 200_000  # of one run, about a minute: failures without end are no run without end


@dataclass(frozen=True, slots=True)
class _Leave:
    """A request to leave: the row of the log, and when the node comes back if it needs no repair."""

    row: int
    away_s: float | None


class FailureProcess:
    """All failures of a cluster, on one clock: one event for each, however many units there are."""

    def __init__(
        self,
        environment: simpy.Environment,
        reliability: Reliability,
        shape: ClusterShape,
        streams: Streams,
        *,
        folder: Path | None = None,
    ) -> None:
        self.log = FailureLog()
        self.nodes = NodeStates(shape.num_nodes)
        self.holdings = HoldingLog(environment)  # who has which nodes: outages are written by the process
        self.on_return: Callable[[int], None] | None = None  # told of nodes that are back in service
        self.on_loss: Callable[[int], None] | None = None  # told of nodes that come back as new, with nothing
        self._environment, self._reliability, self._shape = environment, reliability, shape
        self._rng, self._slow_rng = streams["failures.times"], streams["failures.slow"]
        self._prediction_rng = streams["failures.prediction"]
        self._shop = RepairShop(environment, reliability.num_crews, streams["failures.repair"])
        self._causes = reliability.causes
        self._jobs: list[NodeListener] = []
        self._leaving: dict[int, _Leave] = {}
        self._clocks = ClockSet(reliability, shape, self._rng, folder or Path())
        self._wake_at_s = math.inf
        self._num_occurred = 0

    def start(self, expected_end_s: float = 0.0) -> None:
        """Put the first failures, the slow nodes and the maintenance on the clock.

        Raises InfeasibleError where more failures are to be expected by then than a run can hold.
        """
        gap_s = self._reliability.job_mttf_s(self._shape, self._shape.num_nodes)
        if math.isfinite(expected_end_s) and expected_end_s > MAX_FAILURES * gap_s:
            raise InfeasibleError(
                f"reliability: nodes fail every {span_text(gap_s)}, more than {MAX_FAILURES:,} times in "
                f"{span_text(expected_end_s)}. Lower the failure rates, or simulate a shorter time"
            )
        slow, num_nodes = self._reliability.slow, self._shape.num_nodes
        if slow is not None:
            num_slow = int(self._slow_rng.binomial(num_nodes, slow.share_frac))
            for node in sorted(self._slow_rng.choice(num_nodes, num_slow, replace=False).tolist()):
                self._slow_down("slow_nodes", Component.NODE, (node,), 1.0 + slow.slowdown_frac)
        for maintenance in self._reliability.maintenance:
            first_s = maintenance.every_s if maintenance.first_s is None else maintenance.first_s
            self._after(first_s - self._environment.now, partial(self._maintain, maintenance, 0))
        self._wake_later()

    @property
    def num_accelerators_per_node(self) -> int:
        """Accelerators of each node of the cluster."""
        return self._shape.num_accelerators_per_node

    def add_job(self, job: NodeListener) -> None:
        """A job starts: causes that are counted by job hit it from now on."""
        self._jobs.append(job)
        self._count_jobs()

    def remove_job(self, job: NodeListener) -> None:
        """A job has ended."""
        self._jobs.remove(job)
        self._count_jobs()

    def slow_factor(self, nodes: Container[int]) -> float:
        """How many times as long a gang on these nodes computes: as its slowest node does."""
        return self.nodes.slowest_factor(nodes)

    def must_leave(self, node: int) -> bool:
        """Whether the node has been asked to leave."""
        return node in self._leaving

    def retire(self, node: int) -> None:
        """A node that was asked to leave leaves: its holder has saved what it had there."""
        leave = self._leaving.pop(node, None)
        if leave is None or not self.nodes.is_up(node):
            return
        self._take_down(node, leave.row)
        if leave.away_s is None:
            self._lose(node)
            done = partial(self._back, node, leave.row, None)
            self._shop.take_in(self._reliability.repair_s, done)
        else:
            self._after(leave.away_s, partial(self._back, node, leave.row, None, is_as_new=False))

    # --- clocks -----------------------------------------------------------------------------------

    def _count_jobs(self) -> None:
        self._clocks.count_jobs(len(self._jobs), self._environment.now)
        self._wake_later()

    def _wake_later(self) -> None:
        """See that the next failure happens; waking too early does no harm."""
        next_at_s = self._clocks.next_at_s
        if next_at_s < self._wake_at_s:
            self._wake_at_s = next_at_s
            self._after(next_at_s - self._environment.now, partial(self._wake, next_at_s))

    def _wake(self, at_s: float) -> None:
        if at_s != self._wake_at_s:
            return  # an earlier one has taken its place
        self._wake_at_s = math.inf
        if self._clocks.next_at_s <= at_s:
            self._occur(*self._clocks.pop())
        self._wake_later()

    def _after(self, delay_s: float, call: Callable[[], None]) -> None:
        event = self._environment.timeout(max(delay_s, 0.0), call)
        event.callbacks.append(lambda event: cast(Callable[[], None], event.value)())

    # --- what happens -----------------------------------------------------------------------------

    def _occur(self, due: Due, is_false_alarm: bool) -> None:
        self._count()
        name, cause = due.cause, self._causes[due.cause]
        if cause.takes_down is Domain.JOB:
            self._crash(name, cause, due)
            return
        node = self._node_of(cause, due.unit)
        nodes = self.nodes.up(self._shape.nodes_of(cause.takes_down, node))
        if is_false_alarm:
            if nodes:
                self._ask_to_leave(Drain(Effect.FALSE_ALARM, nodes, False), name, cause.component, None)
        elif cause.slowdown_frac is not None:
            self._slow_down(name, cause.component, nodes, 1.0 + cause.slowdown_frac)
            self._renew(due)
        elif not nodes:
            self._renew(due)  # all of it was down already
        else:
            self._stop_or_foresee(due, cause, nodes)

    def _count(self) -> None:
        """One more thing has happened, of not too many."""
        self._num_occurred += 1
        if self._num_occurred > MAX_FAILURES:
            raise InfeasibleError(
                f"reliability: more than {MAX_FAILURES:,} failures and maintenance windows, one every "
                f"{span_text(self._environment.now / MAX_FAILURES)}. Lower their rates"
            )

    def _node_of(self, cause: Cause, unit: int) -> int:
        """A node that the unit belongs to."""
        num_nodes, shape = self._shape.num_nodes, self._shape
        if unit == ANY_NODE or cause.counted_by in (Domain.SITE, Domain.JOB):
            return int(self._rng.integers(num_nodes))
        if isinstance(cause.times, LifeDistribution):
            if cause.counted_by is Domain.ACCELERATOR:
                return unit // shape.num_accelerators_per_node
            if cause.counted_by is Domain.NIC:
                return unit // shape.num_nics_per_node
            return min(unit * shape.nodes_per.get(cause.counted_by, 1), num_nodes - 1)
        return unit

    def _crash(self, name: str, cause: Cause, due: Due) -> None:
        """A job stops and its nodes stay."""
        if not self._jobs:
            return
        in_range = 0 <= due.unit < len(self._jobs)
        job = self._jobs[due.unit if in_range else int(self._rng.integers(len(self._jobs)))]
        now_s = self._environment.now
        self.log.add(now_s, name, cause.component, Effect.STOP, (), 1)
        job.on_failure(Failure(name, cause.component, (), now_s))

    def _stop_or_foresee(self, due: Due, cause: Cause, nodes: tuple[int, ...]) -> None:
        prediction = self._reliability.prediction
        if prediction is None or self._prediction_rng.random() >= prediction.recall_frac:
            self._stop(due, cause, nodes)
            return
        generations = tuple(map(self.nodes.generation, nodes))
        self._ask_to_leave(Drain(Effect.FORESEEN, nodes, False), due.cause, cause.component, None)
        self._after(prediction.lead_s, partial(self._stop_if_still_there, due, cause, nodes, generations))

    def _stop_if_still_there(
        self, due: Due, cause: Cause, nodes: tuple[int, ...], generations: tuple[int, ...]
    ) -> None:
        same = [n for n, gen in zip(nodes, generations, strict=True) if self.nodes.generation(n) == gen]
        left = self.nodes.up(same)
        if left:
            self._stop(due, cause, left)
        else:
            self._renew(due)

    def _stop(self, due: Due, cause: Cause, nodes: tuple[int, ...]) -> None:
        """Nodes go down and to the repair shop, and whoever held them is told."""
        now_s, told = self._environment.now, self.nodes.listeners(nodes)
        row = self.log.add(now_s, due.cause, cause.component, Effect.STOP, nodes, len(told))
        for number, node in enumerate(nodes):
            self._leaving.pop(node, None)
            self._take_down(node, row)
            self._lose(node)
            done = partial(self._back, node, row, due if number == 0 else None)
            self._shop.take_in(cause.repair_s or self._reliability.repair_s, done)
        for listener in told:
            listener.on_failure(Failure(due.cause, cause.component, nodes, now_s))

    def _slow_down(self, name: str, component: Component, nodes: tuple[int, ...], factor: float) -> None:
        for node in nodes:
            told = self.nodes.listeners((node,))
            self.nodes.slow_down(node, factor)
            self.log.add(self._environment.now, name, component, Effect.SLOW, (node,), len(told))
            for listener in told:
                listener.on_slow(node)
            mean_s = self._reliability.mean_slow_detection_s
            if mean_s is not None:
                found = partial(self._find, name, component, node, self.nodes.generation(node))
                self._after(float(self._slow_rng.exponential(mean_s)), found)

    def _find(self, name: str, component: Component, node: int, generation: int) -> None:
        """A slow node is found, unless it has been repaired for another reason."""
        if self.nodes.is_up(node) and self.nodes.generation(node) == generation:
            self._ask_to_leave(Drain(Effect.SLOW_FOUND, (node,), False), name, component, None)

    def _maintain(self, maintenance: Maintenance, first: int) -> None:
        self._count()
        num_nodes = self._shape.num_nodes
        count = max(1, round(maintenance.nodes_frac * num_nodes))
        nodes = self.nodes.up(sorted((first + i) % num_nodes for i in range(count)))
        if nodes:
            drain = Drain(Effect.MAINTENANCE, nodes, True)
            self._ask_to_leave(drain, "maintenance", None, maintenance.duration_s)
        self._after(maintenance.every_s, partial(self._maintain, maintenance, (first + count) % num_nodes))

    def _ask_to_leave(
        self, drain: Drain, name: str, component: Component | None, away_s: float | None
    ) -> None:
        told = self.nodes.listeners(drain.nodes)
        row = self.log.add(self._environment.now, name, component, drain.effect, drain.nodes, len(told))
        for node in drain.nodes:
            self._leaving[node] = _Leave(row, away_s)
        held = {node for node in drain.nodes if self.nodes.listeners((node,))}
        for listener in told:
            listener.on_drain(drain)
        for node in drain.nodes:
            if node not in held:
                self.retire(node)

    def _take_down(self, node: int, row: int) -> None:
        self.nodes.take_down(node)
        self.log.node_left(row)
        outage = Holder(HolderKind.DOWN, self.log.cause(row))
        self.holdings.begin(outage, node, self.num_accelerators_per_node)

    def _lose(self, node: int) -> None:
        """What a node holds on its own drives and in its memory is gone: it comes back empty."""
        if self.on_loss is not None:
            self.on_loss(node)

    def _back(self, node: int, row: int, due: Due | None, *, is_as_new: bool = True) -> None:
        self.nodes.bring_back(node, is_as_new=is_as_new)
        self.log.node_back(row, self._environment.now)
        self.holdings.end(Holder(HolderKind.DOWN, self.log.cause(row)), node)
        if due is not None:
            self._renew(due)
        if self.on_return is not None:
            self.on_return(node)

    def _renew(self, due: Due) -> None:
        self._clocks.renew(due, self._environment.now)
        self._wake_later()
