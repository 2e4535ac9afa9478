"""The steps of a job on the clock: jumps over equal steps and checkpoints, cut when something changes.

A jump holds its checkpoints where they take fixed times and each drains before the next; where their times
depend on others (a shared store), it ends where the next one is due. A cut step goes on where it was cut, at
its new pace.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple

import simpy
from simpy.events import ProcessGenerator

from dcsim.sim.training.checkpointing import Checkpointing
from dcsim.sim.training.cycle import Cycle, Place
from dcsim.sim.training.gang import JobGang
from dcsim.sim.training.progress import Progress
from dcsim.sim.training.run import Run, Stall, StepParts
from dcsim.sim.training.span_log import SpanLog
from dcsim.sim.training.step_source import (
    ConditionedSteps,
    Network,
    NetworkUse,
    Pace,
    SampleReading,
    Samples,
    StepSource,
)
from dcsim.sim.training.waiting import CHANGE, timer, wait
from dcsim.tables.training import SpanKind

_SLOW = 10.0  # times a step's undisturbed time: one that takes longer hardly moves


class _Jump(NamedTuple):
    """A run under way, and how long the checkpoints in it drain.

    ``save_at`` is where a checkpoint is due that is not part of the run; infinite if there is none.
    """

    cycle: Cycle
    parts: StepParts
    num_accelerators: int
    started_at_s: float
    drain_s: float = 0.0
    save_at: float = math.inf


class Stepping:
    """Steps and checkpoints of one job, on the nodes of its gang."""

    def __init__(
        self,
        environment: simpy.Environment,
        job: str,
        source: StepSource,
        checkpoints: Checkpointing | None,
        gang: JobGang,
        log: SpanLog,
    ) -> None:
        self.num_steps = math.inf
        self.network: Network | None = None
        self.forced_stop: str | None = None  # why the job must stop as soon as its work is saved
        self._environment, self._source, self._gang = environment, source, gang
        has_saves = checkpoints is not None and checkpoints.steps_per_save is not None
        self._checkpoints = checkpoints if has_saves else None
        self._steps = ConditionedSteps(source)
        self._progress = Progress(job, log)
        self._place = Place(0.0)
        self.samples: Samples | None = None
        self._network_use: NetworkUse | None = None
        self._sample_use: SampleReading | None = None
        self._durable: simpy.Event | None = None  # of the last checkpoint, while it drains
        self._jump: _Jump | None = None
        self._stalled: Stall | None = None
        self._process: simpy.Process | None = None  # that computes

    @property
    def position(self) -> float:
        """Steps done, as of the last change."""
        return self._place.position

    @property
    def durable_position(self) -> float:
        """Steps that no failure can undo."""
        return self._progress.durable_position

    @property
    def is_running(self) -> bool:
        """Whether a jump is under way."""
        return self._jump is not None

    @property
    def hardly_moves(self) -> bool:
        """Whether the step under way takes many times what it takes undisturbed, or for ever."""
        return self._jump is not None and self._jump.parts.total_s > _SLOW * self._jump.parts.undisturbed_s

    @property
    def can_run(self) -> bool:
        """Whether the gang holds at least one whole replica of the model."""
        return self._steps.num_replicas_on(len(self._gang)) >= 1

    @property
    def num_accelerators(self) -> int:
        """Accelerators of the nodes held."""
        return self._source.num_accelerators * len(self._gang) // self._source.num_nodes

    def compute(self) -> ProcessGenerator:
        """Compute to the end (returns None) or to a planned stop (returns its cause)."""
        self._process, nodes = self._environment.active_process, self._gang.nodes
        if self.network is not None:
            self._network_use = self.network.occupy(nodes, self._on_share)
        if self.samples is not None:
            self._sample_use = self.samples.occupy(nodes, self._on_share)
        try:
            self._gang.ask_for_replacements()
            num_replicas = self._steps.num_replicas_on(len(self._gang))
            while self._place.position < self.num_steps or self._place.stall_left_s > 0:
                cause = self._stop_cause(num_replicas)
                if cause is not None:
                    return cause
                yield from self._go_on()
            return None
        finally:
            self._release()

    def stage(self) -> simpy.Event | None:
        """Begin to bring the data set to the nodes held; None if nothing is missing."""
        return None if self.samples is None else self.samples.stage(self._gang.nodes)

    def restore(self) -> simpy.Event | None:
        """Begin to read the last checkpoint; None if there is none."""
        if self._checkpoints is None or self._place.position == 0:
            return None
        return self._checkpoints.restore(self._gang.nodes)

    def fall_back(self, cause: str) -> None:
        """A failure: nothing after the last durable checkpoint has happened."""
        self._progress.settle(self._environment.now)
        self._progress.lose(cause)
        self._durable = None
        self._place = Place(self._progress.durable_position)

    def keep(self, cause: str) -> None:
        """The nodes are gone, and the work was saved in time; a job without checkpoints loses it."""
        if self._checkpoints is None:
            self.fall_back(cause)
            return
        self._progress.keep_all(self._place.position, self._environment.now)
        self._durable = None
        self._place = Place(self._place.position)

    def save_before_stop(self, cause: str) -> ProcessGenerator:
        """Before a planned stop all work is saved, and safe; a job without checkpoints loses it."""
        if self._checkpoints is None:
            self.fall_back(cause)
            return
        yield from self._await_durable()
        self._place = Place(self._place.position)
        if self._place.position > self._progress.durable_position:
            yield from self._save()
            yield from self._await_durable()
        self._progress.keep()

    def finish(self) -> None:
        """The job or the simulation ends: what is under way ends too, and counts."""
        if self._jump is not None:
            self._end_jump(None)
        if self._stalled is not None:
            self._end_stall(is_complete=False)
        self._progress.settle(self._environment.now)
        self._progress.keep()
        self._release()

    # --- jumps ------------------------------------------------------------------------------------

    def _stop_cause(self, num_replicas: int) -> str | None:
        """Why to stop now, in an orderly way; None to go on."""
        if self.forced_stop is not None:
            return self.forced_stop
        if self._gang.has_replacement:
            return "replacement"
        return "growth" if self._steps.num_replicas_on(len(self._gang)) > num_replicas else None

    def _go_on(self) -> ProcessGenerator:
        """One shuffle of the data set where it is due, else one jump, to its end or to a change."""
        is_between = self._place.stall_left_s == 0
        if self.samples is not None and is_between and self._place.position >= self.samples.next_shuffle:
            yield from self._stall(self.samples.shuffle(self._gang.nodes), kind=SpanKind.RESHUFFLE)
            self._renew_samples()
            return
        jump = self._next_jump()
        self._jump = jump
        duration_s = jump.cycle.time_to_end_s(self._place)
        try:
            yield timer(self._environment, duration_s)
        except simpy.Interrupt as interrupt:
            self._end_jump(None)
            if interrupt.cause is not CHANGE:
                raise
        else:
            self._end_jump(duration_s)
        if self._place.position >= jump.save_at:
            yield from self._save()

    def _next_jump(self) -> _Jump:
        """The jump from here on, under the present condition."""
        parts = self._steps.parts(self._pace())
        if self._network_use is not None:
            self._network_use.follow(parts.total_s)
        step_s, now_s, held = parts.total_s, self._environment.now, self.num_accelerators
        last = self._last_position()
        if self._checkpoints is None:
            return _Jump(Cycle(step_s, 0.0, math.inf, last), parts, held, now_s)
        every, times = float(self._checkpoints.steps_per_save or 1), self._checkpoints.times
        if times is not None and (self._place.stall_left_s > 0 or self._durable is None):
            until = self._last_of_jump(times.drain_s, every, step_s, last)
            if self._place.position < until or self._place.stall_left_s > 0:
                until = max(until, self._place.position)
                return _Jump(Cycle(step_s, times.stall_s, every, until), parts, held, now_s, times.drain_s)
        due = Cycle(step_s, 0.0, every, self.num_steps).next_stop(self._place.position)
        return _Jump(Cycle(step_s, 0.0, math.inf, min(due, last)), parts, held, now_s, save_at=due)

    def _last_position(self) -> float:
        """How far steps go on as they are: to the last, a shuffle, or where samples come from elsewhere."""
        if self.samples is None:
            return self.num_steps
        position, last = self._place.position, min(self.num_steps, self.samples.next_shuffle)
        left = math.inf if self._sample_use is None else self._sample_use.steps_to_change
        if position + left < last:
            last = math.floor(position) + max(1.0, math.ceil(left))
        return max(last, position)

    def _pace(self) -> Pace:
        """What sets the pace now; samples are read at the pace that all else sets."""
        share_frac = self._network_use.share_frac if self._network_use is not None else 1.0
        pace = Pace(len(self._gang), share_frac, self._gang.slow_factor)
        if self._sample_use is None:
            return pace
        self._sample_use.follow(self._steps.parts(pace).total_s)
        return replace(pace, input_bytes_per_s=self._sample_use.bytes_per_s)

    def _last_of_jump(self, drain_s: float, every: float, step_s: float, last: float) -> float:
        """How far checkpoints are never held up by the drain of the one before; 0 for nowhere."""
        if drain_s > every * step_s:
            return 0.0
        rest = last % every if math.isfinite(last) else 0.0
        is_cut = last < self.num_steps  # there is a checkpoint after the last step, and none where it is cut
        return last - rest if is_cut or drain_s > rest * step_s else last

    def _end_jump(self, duration_s: float | None) -> None:
        """The jump under way ends now, or, uncut, after just the time that it was to take."""
        jump, now_s = self._jump, self._environment.now
        assert jump is not None
        self._jump = None
        taken_s = now_s - jump.started_at_s if duration_s is None else duration_s
        run = Run(jump.cycle, jump.parts, jump.num_accelerators, self._place, jump.started_at_s, taken_s)
        self._progress.add(run, jump.drain_s, now_s)
        before = self._place.position
        self._place = run.advance().place if duration_s is None else Place(jump.cycle.last_position)
        if self._sample_use is not None:
            self._sample_use.count(self._place.position - before)

    def _on_share(self, share_frac: float) -> None:
        process = self._process
        if self._jump is not None and process is not None and process.is_alive:
            process.interrupt(CHANGE)

    def _renew_samples(self) -> None:
        """Read the data set as it lies there now."""
        if self._sample_use is not None and self.samples is not None:
            self._sample_use.release()
            self._sample_use = self.samples.occupy(self._gang.nodes, self._on_share)

    def _release(self) -> None:
        if self._network_use is not None:
            self._network_use.release()
        if self._sample_use is not None:
            self._sample_use.release()
        self._network_use = self._sample_use = None

    # --- checkpoints by themselves ----------------------------------------------------------------

    def _save(self) -> ProcessGenerator:
        """Save a checkpoint, after the one before is durable; the steps stand still meanwhile."""
        assert self._checkpoints is not None
        yield from self._await_durable()
        save = self._checkpoints.save(self._gang.nodes)
        yield from self._stall(save.stalled, is_save=True)
        position, ended_at_s = self._place.position, self._environment.now
        self._durable = save.durable
        if save.durable.processed:
            self._on_durable(save.durable, position, ended_at_s)
        else:
            assert save.durable.callbacks is not None
            save.durable.callbacks.append(lambda event: self._on_durable(event, position, ended_at_s))

    def _on_durable(self, event: simpy.Event, position: float, ended_at_s: float) -> None:
        if event is self._durable:  # else a failure came first
            self._durable = None
            self._progress.commit(position, ended_at_s)

    def _await_durable(self) -> ProcessGenerator:
        """Wait until every checkpoint under way is safe."""
        until_s = self._progress.draining_until_s
        if until_s is not None and until_s > self._environment.now:
            yield from self._stall(timer(self._environment, until_s - self._environment.now))
        self._progress.settle(math.inf)
        if self._durable is not None:
            yield from self._stall(self._durable)

    def _stall(
        self, event: simpy.Event, *, is_save: bool = False, kind: SpanKind | None = None
    ) -> ProcessGenerator:
        """Wait for a checkpoint, whether it counts or is lost, or for what ``kind`` says."""
        self._stalled = Stall(self._environment.now, self.num_accelerators, is_save, kind)
        if self._sample_use is not None:
            self._sample_use.pause()
        try:
            yield from wait(event)
        except simpy.Interrupt:
            self._end_stall(is_complete=False)
            raise
        self._end_stall(is_complete=True)

    def _end_stall(self, *, is_complete: bool) -> None:
        assert self._stalled is not None
        stall, self._stalled = self._stalled, None
        run = stall.run(self._place.position, self._environment.now, is_complete=is_complete)
        self._progress.hold(run)
