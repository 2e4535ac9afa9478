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
from dcsim.sim.training.gang import Gang
from dcsim.sim.training.progress import Progress
from dcsim.sim.training.run import Run, StepParts, stall_run
from dcsim.sim.training.span_log import SpanLog
from dcsim.sim.training.step_source import (
    ConditionedSteps,
    Network,
    Occupation,
    Pace,
    SampleReading,
    Samples,
    StepSource,
)
from dcsim.sim.training.waiting import CHANGE, timer, wait


class _Jump(NamedTuple):
    """A run under way: whether it holds its checkpoints, and how long they drain."""

    cycle: Cycle
    parts: StepParts
    num_accelerators: int
    started_at_s: float
    drain_s: float
    holds_saves: bool


class Stepping:
    """Steps and checkpoints of one job, on the nodes of its gang."""

    def __init__(
        self,
        environment: simpy.Environment,
        job: str,
        source: StepSource,
        checkpoints: Checkpointing | None,
        gang: Gang,
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
        self._network_use: Occupation | None = None
        self._sample_use: SampleReading | None = None
        self._durable: simpy.Event | None = None  # of the last checkpoint, while it drains
        self._jump: _Jump | None = None
        self._stalled: tuple[float, int] | None = None  # since when, on how many accelerators
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
                yield from self._compute_on()
            return None
        finally:
            self._release()

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

    def _compute_on(self) -> ProcessGenerator:
        """One jump, to its end or to a change."""
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
        if not jump.holds_saves and self._place.position >= jump.cycle.last_position:
            yield from self._save()

    def _next_jump(self) -> _Jump:
        """The jump from here on, under the present condition."""
        parts = self._steps.parts(self._pace())
        step_s, now_s, last = parts.total_s, self._environment.now, self.num_steps
        held = self.num_accelerators
        if self._checkpoints is None:
            return _Jump(Cycle(step_s, 0.0, math.inf, last), parts, held, now_s, 0.0, True)
        every, times = float(self._checkpoints.steps_per_save or 1), self._checkpoints.times
        if times is not None and (self._place.stall_left_s > 0 or self._durable is None):
            until = self._last_of_jump(times.drain_s, every, step_s)
            if self._place.position < until or self._place.stall_left_s > 0:
                until = max(until, self._place.position)
                return _Jump(
                    Cycle(step_s, times.stall_s, every, until), parts, held, now_s, times.drain_s, True
                )
        due = Cycle(step_s, 0.0, every, last).next_stop(self._place.position)
        return _Jump(Cycle(step_s, 0.0, math.inf, due), parts, held, now_s, 0.0, False)

    def _pace(self) -> Pace:
        """What sets the pace now; samples are read at the pace that all else sets."""
        share_frac = self._network_use.share_frac if self._network_use is not None else 1.0
        pace = Pace(len(self._gang), share_frac, self._gang.slow_factor)
        if self._sample_use is None:
            return pace
        self._sample_use.follow(self._steps.parts(pace).total_s)
        return replace(pace, input_bytes_per_s=self._sample_use.bytes_per_s)

    def _last_of_jump(self, drain_s: float, every: float, step_s: float) -> float:
        """How far checkpoints are never held up by the drain of the one before; 0 for nowhere."""
        if drain_s > every * step_s:
            return 0.0
        last = self.num_steps
        rest = last % every if math.isfinite(last) else 0.0
        return last - rest if drain_s > rest * step_s else last

    def _end_jump(self, duration_s: float | None) -> None:
        """The jump under way ends now, or, uncut, after just the time that it was to take."""
        jump, now_s = self._jump, self._environment.now
        assert jump is not None
        self._jump = None
        taken_s = now_s - jump.started_at_s if duration_s is None else duration_s
        run = Run(jump.cycle, jump.parts, jump.num_accelerators, self._place, jump.started_at_s, taken_s)
        self._progress.add(run, jump.drain_s, now_s)
        self._place = run.advance().place if duration_s is None else Place(jump.cycle.last_position)

    def _on_share(self, share_frac: float) -> None:
        process = self._process
        if self._jump is not None and process is not None and process.is_alive:
            process.interrupt(CHANGE)

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
            yield from self._stall(timer(self._environment, until_s - self._environment.now), is_save=False)
        self._progress.settle(math.inf)
        if self._durable is not None:
            yield from self._stall(self._durable, is_save=False)

    def _stall(self, event: simpy.Event, *, is_save: bool) -> ProcessGenerator:
        """Wait for a checkpoint; the time is one of checkpoints, whether it counts or is lost."""
        self._stalled = (self._environment.now, self.num_accelerators)
        if self._sample_use is not None:
            self._sample_use.pause()
        try:
            yield from wait(event)
        except simpy.Interrupt:
            self._end_stall(is_complete=False)
            raise
        self._end_stall(is_complete=is_save)

    def _end_stall(self, *, is_complete: bool) -> None:
        assert self._stalled is not None
        (started_at_s, held), self._stalled = self._stalled, None
        duration_s, position = self._environment.now - started_at_s, self._place.position
        self._progress.hold(stall_run(position, held, started_at_s, duration_s, is_complete=is_complete))
