"""Jobs on the clock: submissions, decisions of the scheduler, runs and their ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import simpy

from dcsim.policies.job import Job
from dcsim.policies.job_queue import JobQueue
from dcsim.policies.job_scheduler import JobScheduler
from dcsim.policies.request import SHARES_PER_ACCELERATOR
from dcsim.policies.room import Action, ActionKind, Room
from dcsim.policies.running_jobs import RunningJobs
from dcsim.sim.holdings import Holder, HoldingLog
from dcsim.sim.jobs.feasibility import Feasibility
from dcsim.sim.jobs.history import RunTimeHistory
from dcsim.sim.jobs.job_log import PoolLog, PoolState
from dcsim.sim.jobs.job_run import JobRun
from dcsim.sim.jobs.modelled_work import Stop
from dcsim.sim.jobs.pool import NodePool
from dcsim.tables.holdings import HolderKind
from dcsim.tables.jobs import JobReason, JobStatus

AFTER_ALL_ELSE = 2  # priority of decisions: after everything else that happens at the same instant
MIN_WAKE_S = 1e-6  # the least time between two looks of a scheduler at jobs of which none has changed


@dataclass(frozen=True, slots=True)
class Restarts:
    """What it costs to stop a job."""

    restart_s: float = 0.0  # without progress at the beginning of each run but the first
    checkpoint_interval_s: float | None = None  # of run time; None: nothing is saved before a failure
    saves_on_preemption: bool = True  # else a preempted job loses what a failed one loses
    max_restarts: int = 1000


class JobCluster:
    """Jobs that wait for and run on a pool of nodes. ``done`` succeeds when no job is left."""

    def __init__(
        self,
        environment: simpy.Environment,
        pool: NodePool,
        scheduler: JobScheduler,
        runs: Sequence[JobRun],
        restarts: Restarts,
        bin_s: float,
        holdings: HoldingLog | None = None,
    ) -> None:
        self._environment, self._pool, self._scheduler = environment, pool, scheduler
        self._restarts = restarts
        self.runs = runs  # in the order of submission
        self.done: simpy.Event = environment.event()
        self.log = PoolLog(bin_s)
        self.holdings = holdings or HoldingLog(environment)
        self._run_of = {run.job.number: run for run in runs}
        self._modelled = [run.work for run in runs if run.work is not None]
        self._num_open = len(runs)
        self._queue = JobQueue(scheduler.key, scheduler.kind)
        self._running = RunningJobs()
        self._history = RunTimeHistory()
        self._feasibility = Feasibility(pool.nodes.shapes, pool.placement)
        self._room = Room(
            0.0, pool.nodes, pool.placement, self._queue, self._running, pool.rng, restarts.restart_s
        )
        self._num_queued_accelerators, self._num_used, self._num_training = 0.0, 0.0, 0.0
        self._is_decision_due, self._wake_at_s = False, float("inf")
        self._fragmentation_frac, self._fragments_at_s = 0.0, float("-inf")
        pool.add_tenant(self)
        pool.on_change(self._ask)

    def start(self) -> None:
        """Begin: jobs are submitted from now on."""
        self._environment.process(self._submissions())
        self._note()

    @property
    def done_frac(self) -> float:
        """Share of the jobs that are over."""
        return 1.0 - self._num_open / len(self.runs) if self.runs else 1.0

    def refusal(self, run: JobRun) -> str:
        """Why the job can never start; empty if it can."""
        reason = self._feasibility.reason(run.job.request)
        return reason.text or self._scheduler.refusal(run.job) or ""

    def submit(self, run: JobRun) -> None:
        """A job comes whose work is modelled."""
        self._submit(run)

    def resubmit(self, run: JobRun) -> None:
        """A job whose work is modelled waits for nodes again."""
        assert run.work is not None
        left_frac = run.work.left_frac
        run.left_s, run.job.estimated_left_s = run.duration_s * left_frac, run.job.estimated_s * left_frac
        run.waits_since_s = self._environment.now
        self._enqueue(run.job)

    def finish(self, run: JobRun) -> None:
        """The work of a running job is done."""
        job = run.job
        self._running.remove(job)
        self._pool.nodes.give(job.parts)
        self._let_go(run, job.num_held)
        run.left_s, run.finished_at_s = 0.0, self._environment.now
        job.parts = ()
        self._history.record(job.user, job.request.num_accelerators, run.duration_s)
        self._close(run, JobStatus.FINISHED)
        self._ask()

    def on_slow(self, node: int) -> None:
        """A node has become slow: jobs with given run times do not feel it."""
        for work in self._modelled:
            work.on_slow(node)

    def evict(self, node: int, *, is_orderly: bool, cause: str = "") -> int:
        """Stop every job that holds part of a node, and return how many do."""
        held = [job for job in self._running if any(part.node == node for part in job.parts)]
        for job in held:
            self._running.remove(job)
            self._pool.nodes.give(job.parts)
            self._stop(job, is_failure=not is_orderly, cause=cause)
        return len(held)

    def _submissions(self) -> simpy.events.ProcessGenerator:
        for run in self.runs:
            if run.work is not None:
                continue  # submits itself
            delay_s = run.job.submitted_at_s - self._environment.now
            if delay_s > 0:
                yield self._environment.timeout(delay_s)
            self._submit(run)
        self._check_done()

    def _submit(self, run: JobRun) -> None:
        job = run.job
        run.reason = self._feasibility.reason(job.request)
        if not run.reason and self._scheduler.refusal(job):
            run.reason = JobReason.SCHEDULER
        if run.reason:
            self._close(run, JobStatus.INFEASIBLE)
            return
        if self._scheduler.needs_history:
            job.predicted_s = self._history.predicted_s(job.user, job.request.num_accelerators)
        run.waits_since_s = self._environment.now
        self._enqueue(job)

    def _enqueue(self, job: Job) -> None:
        self._queue.add(job)
        self._num_queued_accelerators += job.request.num_accelerators
        self._ask()

    def _ask(self) -> None:
        """Let the scheduler decide when all else at this instant has happened."""
        if not self._is_decision_due:
            self._is_decision_due = True
            self._call_later(0.0, self._decide)

    def _call_later(self, delay_s: float, callback: object) -> None:
        event = simpy.Event(self._environment)
        event._ok, event._value = True, None
        assert event.callbacks is not None
        event.callbacks.append(callback)  # type: ignore[arg-type]
        self._environment.schedule(event, AFTER_ALL_ELSE, delay_s)  # type: ignore[arg-type]

    def _decide(self, _: simpy.Event) -> None:
        self._is_decision_due = False
        room = self._room
        room.now_s = self._environment.now
        self._scheduler.decide(room)
        actions, room.actions = room.actions, []
        for action in actions:
            self._carry_out(action)
        self._note()
        wake_at_s = self._scheduler.wake_at_s(room)
        if wake_at_s is not None and wake_at_s < self._wake_at_s:
            self._wake_at_s = max(wake_at_s, room.now_s + MIN_WAKE_S)
            self._call_later(self._wake_at_s - room.now_s, self._wake)

    def _wake(self, _: simpy.Event) -> None:
        if self._environment.now >= self._wake_at_s:
            self._wake_at_s = float("inf")
            self._ask()

    def _carry_out(self, action: Action) -> None:
        job = action.job
        if action.kind is ActionKind.START:
            self._num_queued_accelerators -= job.request.num_accelerators
            self._begin(job, action.number)
        elif action.kind is ActionKind.STOP:
            self._stop(job, is_failure=False, cause="preemption")
        else:
            self._resize(action)

    def _begin(self, job: Job, num_accelerators: float) -> None:
        run = self._run_of[job.number]
        self._hold(run, num_accelerators)
        if run.work is None:
            self._call_later_if_same(run)
        else:
            run.work.on_start(tuple(part.node for part in job.parts))

    def _call_later_if_same(self, run: JobRun) -> None:
        """End the run when its work is done, unless it is stopped before."""
        timeout = self._environment.timeout(run.run_s)
        assert timeout.callbacks is not None
        timeout.callbacks.append(partial(self._finish, run, run.num_runs))

    def _finish(self, run: JobRun, number: int, _: simpy.Event) -> None:
        if run.num_runs == number:
            self.finish(run)

    def _stop(self, job: Job, *, is_failure: bool, cause: str) -> None:
        """The job has lost its nodes, which are free again: it waits for others."""
        run, now_s = self._run_of[job.number], self._environment.now
        self._let_go(run, job.num_held)
        if run.work is None:
            self._save(run, job.done_s(now_s), now_s - job.started_at_s, is_failure=is_failure)
        job.attained_s = job.attained_at_s(now_s)
        job.parts = ()
        job.restart_s = self._restarts.restart_s if run.work is None else run.work.restart_s
        job.num_held, job.speed = job.request.num_accelerators, 1.0
        run.num_failures += is_failure
        run.num_preemptions += not is_failure
        is_final = run.num_failures + run.num_preemptions > self._restarts.max_restarts
        if run.work is not None:
            is_kept = not is_failure and self._restarts.saves_on_preemption
            run.work.on_stop(Stop(cause, is_failure, is_kept, is_final))
        if is_final:
            self._close(run, JobStatus.ABANDONED)
            return
        run.status, run.waits_since_s = JobStatus.WAITING, now_s
        if run.work is None:
            self._enqueue(job)

    def _save(self, run: JobRun, done_s: float, ran_s: float, *, is_failure: bool) -> None:
        restarts, job = self._restarts, run.job
        before_s = run.left_s
        if is_failure or not restarts.saves_on_preemption:
            interval_s = restarts.checkpoint_interval_s or float("inf")
        else:
            interval_s = None
        run.save(done_s, min(ran_s, job.restart_s), interval_s)
        job.estimated_left_s = max(0.0, job.estimated_left_s - (before_s - run.left_s))

    def _resize(self, action: Action) -> None:
        run, now_s = self._run_of[action.job.number], self._environment.now
        ran_s = now_s - run.held_since_s
        done_s = max(0.0, ran_s - action.old_restart_s) * action.old_speed
        run.save(done_s, min(ran_s, action.old_restart_s), None)
        self._let_go(run, action.old_number)
        run.num_resizes += 1
        self._hold(run, action.number)
        self._call_later_if_same(run)

    def _hold(self, run: JobRun, num_held: float) -> None:
        run.begin(self._environment.now)
        self._num_used += num_held
        if run.work is not None:
            self._num_training += num_held
            for part in run.job.parts:
                self.holdings.begin(run.work.holder, part.node, run.work.num_accelerators_per_node)
            return
        holder = Holder(HolderKind.JOB, run.job.number)
        for part in run.job.parts:
            num_accelerators = len(part.accelerators) * part.num_shares / SHARES_PER_ACCELERATOR
            self.holdings.begin(holder, part.node, num_accelerators)

    def _let_go(self, run: JobRun, num_held: float) -> None:
        run.end(self._environment.now, num_held)
        self._num_used -= num_held
        if run.work is None:
            self.holdings.end_all(Holder(HolderKind.JOB, run.job.number))
        else:
            self._num_training -= num_held
            self.holdings.end_all(run.work.holder)

    def _close(self, run: JobRun, status: JobStatus) -> None:
        run.status = status
        self._num_open -= 1
        self._check_done()

    def _check_done(self) -> None:
        if not self._num_open and not self.done.triggered:
            self.done.succeed()

    def _note(self) -> None:
        now_s, pool = self._environment.now, self._pool
        num_free = pool.num_free
        if self.log.is_due(now_s, self._fragments_at_s) and pool.nodes.fragments:
            self._fragments_at_s = now_s
            lost = pool.nodes.fragments.accelerators()
            self._fragmentation_frac = lost / num_free if num_free else 0.0
        self.log.add(
            now_s,
            PoolState(
                self._num_used,
                num_free,
                pool.num_away,
                self._num_queued_accelerators,
                len(self._queue),
                len(self._running),
                self._fragmentation_frac,
                self._num_training,
            ),
        )
