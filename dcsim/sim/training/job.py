"""One training job on the clock: it starts, computes, fails, recovers and ends.

The job is a gang: it computes on all its nodes or not at all (or, elastic, on whole data-parallel replicas).
A failure undoes everything after the last durable checkpoint and starts the recovery; one in a recovery
starts it anew. A planned stop (a drain, maintenance, a gang that grows again) saves the work first. A job of
the queue loses all its nodes at each stop, unless it only crashed, and waits in the queue for others.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import simpy
from simpy.events import ProcessGenerator

from dcsim.formulas.training.step import StepCondition
from dcsim.sim.failures.failure import Failure
from dcsim.sim.failures.process import FailureProcess
from dcsim.sim.failures.spares import SparePool
from dcsim.sim.jobs.modelled_work import Stop
from dcsim.sim.training.checkpointing import Checkpointing
from dcsim.sim.training.gang import Gang, GangSize, JobGang
from dcsim.sim.training.scheduled_gang import QueuedTraining, ScheduledGang
from dcsim.sim.training.span_log import SpanLog
from dcsim.sim.training.step_source import Network, Samples, StepSource
from dcsim.sim.training.stepping import Stepping
from dcsim.sim.training.waiting import CHANGE, timer, wait
from dcsim.spec.reliability import RecoveryTimes
from dcsim.tables.training import SpanKind, TrainingStatus

_FAILURES = "failures came before the first checkpoint was saved, every time"
_RESTARTS = "it was stopped more often than jobs.preemption.max_restarts"
_SLOWNESS = "no step was done: links, slow nodes or late samples all but stopped it"


@dataclass(frozen=True, slots=True)
class TrainingTask:
    """What a job is to do, and how it recovers."""

    name: str
    steps: StepSource
    recovery: RecoveryTimes
    num_steps: float = math.inf  # as long as the simulation lasts, if infinite
    prepared_s: float = 0.0  # to copy and shuffle its data set, with nobody else about
    is_elastic: bool = False
    submitted_at_s: float = 0.0

    @property
    def undisturbed_s(self) -> float:
        """Its steps, with nobody else about and nothing between them."""
        return self.num_steps * self.steps.step(StepCondition()).total_s


@dataclass(frozen=True, slots=True)
class _Stop:
    """Why the job does not compute."""

    cause: str
    is_failure: bool
    is_saved: bool = False  # or lost, already


class TrainingProcess:
    """A training job. ``failures`` and ``pool`` tell it what happens to its nodes and give it others.

    One that is ``queued`` gets them from the job scheduler in place of the pool.
    """

    def __init__(
        self,
        environment: simpy.Environment,
        task: TrainingTask,
        checkpoints: Checkpointing | None,
        failures: FailureProcess,
        pool: SparePool,
        log: SpanLog,
        *,
        network: Network | None = None,
        samples: Samples | None = None,
        queued: QueuedTraining | None = None,
    ) -> None:
        self.task = task
        self.status, self.stalled_by = TrainingStatus.UNFINISHED, ""
        self.started_at_s = self.finished_at_s = math.nan
        self.num_failures = self.num_planned_stops = 0
        size = GangSize(task.name, task.steps.num_nodes, task.steps.num_accelerators)
        self.gang: JobGang = (
            Gang(size, failures, pool, self)
            if queued is None
            else ScheduledGang(size, failures, queued, self)
        )
        self._environment, self._log = environment, log
        self._stepping = Stepping(environment, task.name, task.steps, checkpoints, self.gang, log)
        self._stepping.num_steps = task.num_steps
        self._stepping.network, self._stepping.samples = network, samples
        self._num_held = task.steps.num_accelerators  # when it last had its nodes
        self._is_given_up = False
        self._arrival: simpy.Event | None = None  # awaited nodes
        self._span: tuple[SpanKind, str, float, int] | None = None  # the span under way
        self._process = environment.process(self._life())

    @property
    def ended(self) -> simpy.Event:
        """Succeeds when its last step is saved."""
        return self._process

    @property
    def num_steps_done(self) -> float:
        """Steps that count so far."""
        return self._stepping.position

    @property
    def left_frac(self) -> float:
        """Share of its steps that are not done; all of it for one without an end."""
        done_frac = 0.0 if math.isinf(self.task.num_steps) else self.num_steps_done / self.task.num_steps
        return max(0.0, 1.0 - done_frac)

    @property
    def is_done(self) -> bool:
        """Whether its last step is saved."""
        return self.status is TrainingStatus.FINISHED

    def finish(self) -> None:
        """The simulation ends: close what is under way."""
        if self._span is not None:
            self._end_span()
        if self._is_given_up:
            return
        has_saved, hardly_moves = self._stepping.durable_position > 0, self._stepping.hardly_moves
        self._stepping.finish()
        if self.is_done or has_saved:
            return
        if self.num_failures:
            self.status, self.stalled_by = TrainingStatus.STALLED, _FAILURES
        elif hardly_moves and self.num_steps_done < 1:
            self.status, self.stalled_by = TrainingStatus.STALLED, _SLOWNESS

    # --- what its gang tells it -------------------------------------------------------------------

    def on_failure(self, failure: Failure) -> None:
        """Nodes failed, or the job crashed."""
        if self._process.is_alive:
            self._process.interrupt(failure)

    def on_stop(self, stop: Stop) -> None:
        """All its nodes are others' from now on."""
        if self._process.is_alive:
            self._process.interrupt(stop)

    def on_change(self) -> None:
        """The pace has changed, or nodes have come."""
        if self._arrival is not None and not self.gang.num_missing:
            self._arrival.succeed()
            self._arrival = None
        is_own_doing = self._environment.active_process is self._process
        if self._stepping.is_running and self._process.is_alive and not is_own_doing:
            self._process.interrupt(CHANGE)

    def on_forced_drain(self, cause: str) -> None:
        """Nodes must leave as soon as the work is saved."""
        self._stepping.forced_stop = cause
        self.on_change()

    # --- its life ---------------------------------------------------------------------------------

    def _life(self) -> ProcessGenerator:
        delay_s = self.task.submitted_at_s - self._environment.now
        if delay_s > 0:
            yield self._environment.timeout(delay_s)
        stop: _Stop | None = None  # not begun
        while not (self.is_done or self._is_given_up):
            try:
                yield from self._come_up(stop)
                cause = yield from self._stepping.compute()
            except simpy.Interrupt as interrupt:
                stop = self._fall_back(interrupt)
            else:
                if cause is None:
                    self._complete()
                else:
                    self.num_planned_stops += 1
                    stop = _Stop(cause, is_failure=False)

    def _come_up(self, stop: _Stop | None) -> ProcessGenerator:
        """Everything between a stop and the next step."""
        recovery, cause = self.task.recovery, stop.cause if stop else ""
        if stop and stop.is_failure:
            yield from self._spend(SpanKind.DETECT, cause, recovery.detection_s)
            yield from self._spend(SpanKind.DIAGNOSE, cause, recovery.diagnosis_s)
        elif stop and not stop.is_saved:
            yield from self._stepping.save_before_stop(cause)
        self._stepping.forced_stop = None
        before = set(self.gang.nodes)
        self.gang.shed()
        yield from self._gather(stop is None, cause)
        self._num_held = self._stepping.num_accelerators
        if math.isnan(self.started_at_s):
            self.started_at_s = self._environment.now
            self.gang.expose()
        elif set(self.gang.nodes) != before:
            yield from self._spend(SpanKind.SWAP, cause, recovery.swap_s)
        while (staged := self._stepping.stage()) is not None:
            yield from self._spend_until(SpanKind.STAGING, cause, staged)
        yield from self._spend(SpanKind.INITIALIZE, cause, recovery.initialization_s)
        read = self._stepping.restore()
        if read is not None:
            yield from self._spend_until(SpanKind.RESTORE, cause, read)
        yield from self._spend(SpanKind.WARMUP, cause, recovery.warmup_s)

    def _gather(self, is_first: bool, cause: str) -> ProcessGenerator:
        """Get the nodes that are missing; an elastic job goes on without, if enough are left."""
        if self.task.is_elastic and not is_first:
            self.gang.take_free()
            if self._stepping.can_run:
                return
        kind = SpanKind.QUEUE if is_first else SpanKind.WAIT
        self.gang.gather(is_replacement=not is_first)
        if self.gang.num_missing:
            self._arrival = self._environment.event()
            yield from self._spend_until(kind, cause, self._arrival)

    def _fall_back(self, interrupt: simpy.Interrupt) -> _Stop:
        """A failure undoes what is not safe."""
        failure = interrupt.cause
        if isinstance(failure, Stop):
            return self._leave(failure)
        assert isinstance(failure, Failure)  # changes of pace stop nothing, and end where steps wait
        self.num_failures += 1
        self._arrival = None
        self._stepping.fall_back(failure.cause)
        return _Stop(failure.cause, is_failure=True)

    def _leave(self, stop: Stop) -> _Stop:
        """Its nodes are others': what was saved in time is kept, else what the last checkpoint holds."""
        self.num_failures += stop.is_failure
        self.num_planned_stops += not stop.is_failure
        self._arrival, self._num_held = None, 0
        if stop.is_kept:
            self._stepping.keep(stop.cause)
        else:
            self._stepping.fall_back(stop.cause)
        self.gang.leave()
        if stop.is_final:
            self._is_given_up, self.stalled_by = True, _RESTARTS
            if not self._stepping.durable_position:
                self.status = TrainingStatus.STALLED
        return _Stop(stop.cause, stop.is_failure, is_saved=True)

    def _complete(self) -> None:
        self.status, self.finished_at_s = TrainingStatus.FINISHED, self._environment.now
        self._stepping.finish()
        self.gang.disband()

    # --- time -------------------------------------------------------------------------------------

    def _spend(self, kind: SpanKind, cause: str, duration_s: float) -> ProcessGenerator:
        if duration_s > 0:
            yield from self._spend_until(kind, cause, timer(self._environment, duration_s))

    def _spend_until(self, kind: SpanKind, cause: str, event: simpy.Event) -> ProcessGenerator:
        """Wait for an event, and write the time down as a span."""
        is_noticed = kind not in (SpanKind.DETECT, SpanKind.DIAGNOSE)  # before, none is known to be gone
        held = self._stepping.num_accelerators if is_noticed else self._num_held
        self._span = (kind, cause, self._environment.now, held)
        try:
            yield from wait(event)
        finally:
            if self._span is not None:  # else the simulation has ended, and the span is written
                self._end_span()

    def _end_span(self) -> None:
        assert self._span is not None
        (kind, cause, started_at_s, held), self._span = self._span, None
        self._log.add(self.task.name, kind, cause, started_at_s, self._environment.now, held)
