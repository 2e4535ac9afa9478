"""What of a job's work is safe: runs wait here until a checkpoint makes them count, or a failure undoes."""

from __future__ import annotations

from dataclasses import dataclass

from dcsim.sim.training.run import Run
from dcsim.sim.training.span_log import SpanLog
from dcsim.tables.training import SpanKind


@dataclass(frozen=True, slots=True)
class _Draining:
    """A checkpoint on its way: the position it holds, when its stall ended, and when it will be durable."""

    position: float
    stall_ended_at_s: float
    durable_at_s: float


class Progress:
    """The durable position of one job, and the runs after it."""

    def __init__(self, job: str, log: SpanLog) -> None:
        self.durable_position = 0.0
        self._job, self._log = job, log
        self._open: list[Run] = []
        self._draining: list[_Draining] = []

    @property
    def draining_until_s(self) -> float | None:
        """When the last checkpoint under way in a fixed time becomes durable; None if there is none."""
        return self._draining[-1].durable_at_s if self._draining else None

    def add(self, run: Run, drain_s: float, now_s: float) -> None:
        """A run has ended now. Checkpoints in it become durable ``drain_s`` after their stalls."""
        self.settle(now_s)
        self.hold(run)
        if not run.cycle.has_saves:
            return
        after = run.advance()
        settled = run.cycle.advance(run.place, max(0.0, run.duration_s - drain_s)) if drain_s else after
        if settled.num_saves:
            self.commit(settled.saved_position, run.started_at_s + settled.saved_after_s)
        if after.num_saves > settled.num_saves:
            at_s = run.started_at_s + after.saved_after_s
            self._draining.append(_Draining(after.saved_position, at_s, at_s + drain_s))

    def hold(self, run: Run) -> None:
        """A run that makes nothing durable by itself has ended: a stall, or steps up to a checkpoint."""
        self._open.append(run)

    def settle(self, now_s: float) -> None:
        """Checkpoints whose drain has ended by now are durable."""
        while self._draining and self._draining[0].durable_at_s <= now_s:
            done = self._draining.pop(0)
            self.commit(done.position, done.stall_ended_at_s)

    def commit(self, position: float, until_s: float) -> None:
        """A checkpoint is durable: what was done until its stall ended counts."""
        self.durable_position = position
        kept: list[Run] = []
        for run in self._open:
            if run.ended_at_s <= until_s:
                self._log.add_run(self._job, SpanKind.PRODUCTIVE, "", run)
            elif run.started_at_s >= until_s:
                kept.append(run)
            else:
                counted, rest = run.split(until_s - run.started_at_s)
                self._log.add_run(self._job, SpanKind.PRODUCTIVE, "", counted)
                kept.append(rest)
        self._open = kept

    def lose(self, cause: str) -> None:
        """A failure undoes what is not durable, and the checkpoints under way with it."""
        self._close(SpanKind.LOST, cause)
        self._draining.clear()

    def keep_all(self, position: float, now_s: float) -> None:
        """All that was done is safe, whatever checkpoint was under way."""
        self._draining.clear()
        self.commit(position, now_s)

    def keep(self) -> None:
        """The simulation or the job ends: what was done counts."""
        self._close(SpanKind.PRODUCTIVE, "")

    def _close(self, kind: SpanKind, cause: str) -> None:
        for run in self._open:
            self._log.add_run(self._job, kind, cause, run)
        self._open.clear()
