"""The fleet: the engines of one serving workload behind a router, on the shared clock.

Engines jump on their own; the fleet decides how far. Where the router does not look at the replicas and
arrivals do not depend on finishes, every engine's arrivals are known in advance and it may advance to any
instant in one call. Otherwise the fleet wakes each engine at the end of its open run, so that routing
decisions and closed-loop clients see every finish in order.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import cast

import numpy as np
import numpy.typing as npt
import simpy

from dcsim.errors import Problem, ScenarioError
from dcsim.sim.requests import MAX_REQUESTS, RequestStream
from dcsim.sim.serving.engine import Engine
from dcsim.sim.serving.engine_options import EngineOptions
from dcsim.sim.serving.log import EngineLogs, Integers, PreemptionLog, RequestLog, StepLog
from dcsim.sim.serving.replica_pool import ReplicaPool
from dcsim.sim.serving.timer import StepTimer
from dcsim.sim.streams import Streams
from dcsim.spec.deployment import ServingDeployment
from dcsim.tables import RequestStatus, ServingTables
from dcsim.units import SECONDS_PER_HOUR

_REJECTED_CLIENT_PAUSE_S = 1.0  # a closed-loop client whose request was rejected asks again after this


class Fleet:
    """All replicas of one served model."""

    def __init__(
        self,
        environment: simpy.Environment,
        deployment: ServingDeployment,
        stream: RequestStream,
        streams: Streams,
        timer: StepTimer,
        *,
        duration_s: float | None,
        drain_s: float | None,
        is_stepwise: bool,
        may_pause: bool = False,
    ) -> None:
        self._environment, self._deployment = environment, deployment
        self._stream = stream
        self._rng = streams[f"{deployment.name}.router"]
        self._duration_s = duration_s
        num_engines = sum(pool.num_engines for pool in deployment.pools)
        self._logs = EngineLogs(RequestLog(), StepLog(), PreemptionLog(), [0] * num_engines)
        self._options = engine_options(deployment, stream.num_prefix_tokens, is_stepwise=is_stepwise)
        self._timer = timer
        self._pool = ReplicaPool(deployment, 0, self._logs.num_outstanding, self._rng)  # of arrivals
        self._engines = [self._new_engine(number) for number in range(num_engines)]
        self._down: set[int] = set()  # replicas that have failed
        self._resting: dict[int, Callable[[int], None]] = {}  # replicas that get no requests: who is told
        self._stranded: list[int] = []  # requests for which no replica is up
        self._last_step_end_s = 0.0  # of engines that have failed
        self._wake_at_s = [math.inf] * num_engines
        self._overhead_s = deployment.request_overhead_s
        self._num_handed_over = 0  # requests that engines have got so far
        self._num_pausing = 0  # clients that wait before they ask again
        self._next_arrival = 0
        self._is_static = (
            not deployment.router.needs_state
            and deployment.num_lanes == 1
            and not stream.concurrency
            and not may_pause
            and deployment.prefill is None
        )
        self.limit_s = self._limit_s(drain_s)

    @property
    def deployment(self) -> ServingDeployment:
        """The workload, resolved."""
        return self._deployment

    @property
    def arrivals_end_s(self) -> float:
        """When the last request arrives; infinite for clients that stop by count."""
        if self._stream.concurrency:
            return self._duration_s if self._duration_s is not None else math.inf
        last = float(self._stream.arrived_at_s[-1]) if len(self._stream.arrived_at_s) else 0.0
        return max(last, self._duration_s or 0.0)

    def start(self) -> None:
        """Put the first arrivals on the clock."""
        stream = self._stream
        if stream.concurrency:
            for engine in self._engines:
                engine.on_end = self._client_continues
            for _ in range(stream.concurrency):
                self._client_sends(0.0)
        elif self._is_static:
            self._route_all()
        elif len(stream.arrived_at_s):
            none = np.full(len(stream.arrived_at_s), -1)
            self._log_arrivals(none)
            self._schedule_arrival()

    def advance(self, until_s: float) -> None:
        """Bring every engine to an instant."""
        for engine in self._engines:
            engine.advance(until_s)

    def finish(self) -> ServingTables:
        """End the simulation and return what was written."""
        for engine in self._engines:
            engine.stop(self.limit_s)
        requests, steps = self._logs.requests.table(self._replica_of), self._logs.steps.table()
        ended_at_s = max(self._last_step_end_s, *(engine.last_step_end_s for engine in self._engines))
        if np.any(requests["status"] == RequestStatus.UNFINISHED) and math.isfinite(self.limit_s):
            ended_at_s = max(ended_at_s, self.limit_s)
        ended_at_s = max(ended_at_s, self._duration_s or 0.0)
        return ServingTables(requests, steps, self._logs.preemptions.table(), ended_at_s)

    @property
    def num_ended(self) -> int:
        """Requests that have finished, timed out or been rejected so far."""
        return self._num_handed_over - sum(self._logs.num_outstanding)

    @property
    def num_expected(self) -> int | None:
        """Requests that will come; None for clients that stop by time."""
        return self._stream.max_requests if self._stream.concurrency else len(self._stream.arrived_at_s)

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to do."""
        return self.num_ended == len(self._logs.requests) and not self._num_pausing

    def _limit_s(self, drain_s: float | None) -> float:
        end_s = self.arrivals_end_s
        return end_s + (end_s + SECONDS_PER_HOUR if drain_s is None else drain_s)

    def _replica_of(self, engine: Integers) -> Integers:
        """The replicas of engines."""
        return engine // np.int32(self._deployment.num_lanes)

    def _new_engine(self, number: int) -> Engine:
        return Engine(number, self._options, self._timer, self._logs)

    # --- arrivals known in advance ----------------------------------------------------------------

    def _route_all(self) -> None:
        count, num_engines = len(self._stream.arrived_at_s), len(self._engines)  # one for each replica
        idle, choose = [0] * num_engines, self._deployment.router.choose
        numbers = np.fromiter((choose(idle, request, self._rng) for request in range(count)), np.int64, count)
        self._log_arrivals(numbers)
        for number, engine in enumerate(self._engines):
            mine = np.flatnonzero(numbers == number)
            self._logs.num_outstanding[number] = len(mine)
            self._num_handed_over += len(mine)
            engine.submit(mine.tolist())

    def _log_arrivals(self, engine: npt.NDArray[np.int64]) -> None:
        stream = self._stream
        self._logs.requests.extend(
            stream.arrived_at_s, stream.num_prompt_tokens, stream.num_output_tokens, stream.prefix, engine
        )

    # --- arrivals one by one ----------------------------------------------------------------------

    def _schedule_arrival(self) -> None:
        ready_s = self._logs.requests.arrived_at_s[self._next_arrival] + self._overhead_s
        self._at(ready_s, None, self._arrive_and_schedule)

    def _arrive_and_schedule(self, event: simpy.Event) -> None:
        """All that come at this instant, before an idle engine begins with the first of them."""
        arrived_at_s, at_s = self._logs.requests.arrived_at_s, None
        while self._next_arrival < len(arrived_at_s):
            if at_s is not None and arrived_at_s[self._next_arrival] > at_s:
                self._schedule_arrival()
                return
            at_s = arrived_at_s[self._next_arrival]
            self._next_arrival += 1
            self._route(self._next_arrival - 1)

    def _arrive(self, event: simpy.Event) -> None:
        self._route(cast(int, event.value))

    def _route(self, request: int) -> None:
        out = self._down | self._resting.keys() if self._down or self._resting else ()
        number = self._pool.choose(request, out)
        if number is None:
            self._stranded.append(request)
            return
        self._logs.num_outstanding[number] += 1
        self._num_handed_over += 1
        self._logs.requests.engine[request] = number
        self._engines[number].submit((request,))
        self._wake_later(number)

    def _wake_later(self, number: int) -> None:
        """See that an engine is woken at the end of its open run; waking it too early does no harm."""
        event_s = self._engines[number].next_event_s
        if event_s < self._wake_at_s[number]:
            self._wake_at_s[number] = event_s
            self._at(event_s, (number, event_s), self._wake)

    def _wake(self, event: simpy.Event) -> None:
        number, at_s = cast(tuple[int, float], event.value)
        if at_s != self._wake_at_s[number]:
            return  # the run was cut, and an earlier wake-up has taken its place
        self._wake_at_s[number] = math.inf
        self._engines[number].advance(at_s)
        self._wake_later(number)
        if self._resting:
            self._look_if_idle(number // self._deployment.num_lanes)

    def _at(self, instant_s: float, value: object, callback: Callable[[simpy.Event], None]) -> None:
        event = self._environment.timeout(max(instant_s - self._environment.now, 0.0), value)
        event.callbacks.append(callback)

    # --- replicas that fail or rest ---------------------------------------------------------------

    def take_down(self, replica: int) -> None:
        """A replica fails now. A step under way still ends; all else is lost, and goes to other replicas.

        What its requests had computed is computed again, and their clients wait from their first arrival on.
        Only for fleets that were built with ``may_pause``, as is ``rest``.
        """
        now_s = self._environment.now
        self._down.add(replica)
        for number in self._engine_numbers(replica):
            self._renew_engine(number)
            lost = self._logs.requests.lose(number, now_s)
            self._logs.num_outstanding[number] -= len(lost)
            self._num_handed_over -= len(lost)
            for request in lost:
                self._at(now_s + self._overhead_s, request, self._arrive)

    def bring_up(self, replica: int) -> None:
        """The replica works again, with nothing in its caches; requests that found none up go to it."""
        self._down.discard(replica)
        self._send_stranded()
        self._look_if_idle(replica)

    def rest(self, replica: int, on_idle: Callable[[int], None]) -> None:
        """A replica gets no requests from now on, and is idle when those that it has are done.

        ``on_idle`` is told then, and again if it fails and comes back while it rests.
        """
        self._resting[replica] = on_idle
        self._look_if_idle(replica)

    def resume(self, replica: int) -> None:
        """The replica gets requests again; if it was idle meanwhile, there is nothing in its caches."""
        self._resting.pop(replica, None)
        self._send_stranded()

    def mean_outstanding(self, started_at_s: float) -> float:
        """Requests that wait or run, mean from an instant until now."""
        return self._logs.requests.mean_outstanding(started_at_s, self._environment.now)

    def _look_if_idle(self, replica: int) -> None:
        """Tell who switched a replica off that it has nothing left to do."""
        on_idle, numbers = self._resting.get(replica), self._engine_numbers(replica)
        if on_idle is None or replica in self._down:
            return
        if not any(self._logs.num_outstanding[number] for number in numbers):
            for number in numbers:
                self._renew_engine(number)
            on_idle(replica)

    def _engine_numbers(self, replica: int) -> range:
        lanes = self._deployment.num_lanes
        return range(replica * lanes, (replica + 1) * lanes)

    def _renew_engine(self, number: int) -> None:
        """Stop an engine and put a new one in its place; a step under way still ends."""
        now_s, engine = self._environment.now, self._engines[number]
        engine.advance(now_s)
        engine.stop(now_s)
        self._last_step_end_s = max(self._last_step_end_s, engine.last_step_end_s)
        self._engines[number] = self._new_engine(number)
        self._engines[number].on_end = engine.on_end
        self._wake_at_s[number] = math.inf

    def _send_stranded(self) -> None:
        """Requests that found no replica try again."""
        waiting, self._stranded = self._stranded, []
        for request in waiting:
            self._logs.requests.resend(request, self._environment.now)
            self._at(self._environment.now + self._overhead_s, request, self._arrive)

    # --- clients of a closed loop -----------------------------------------------------------------

    def _client_sends(self, at_s: float) -> None:
        """A client sends its next request, unless the time or the number of requests is over."""
        request, limit = len(self._logs.requests), self._stream.max_requests
        if request == limit or (self._duration_s is not None and at_s >= self._duration_s):
            return
        if request >= MAX_REQUESTS:
            raise ScenarioError(
                Problem(
                    f"serving.{self._deployment.name}: clients have sent {MAX_REQUESTS:,} requests",
                    remedy="Shorten the duration, lower the concurrency or raise max_queue",
                )
            )
        tokens, prefix = self._stream.lengths_for(request)
        one = np.array
        self._logs.requests.extend(one([at_s]), one(tokens[:1]), one(tokens[1:]), one([prefix]), one([-1]))
        self._at(at_s + self._overhead_s, request, self._arrive)

    def _client_continues(self, request: int, at_s: float) -> None:
        status = self._logs.requests.status[request]
        if status == RequestStatus.FINISHED:
            self._client_sends(at_s)
            return
        # a request given up or turned away in mid-step is noticed at the step's end: nobody acts in the past
        now_s = max(at_s, self._environment.now)
        if status == RequestStatus.REJECTED:
            self._num_pausing += 1
            self._at(now_s + _REJECTED_CLIENT_PAUSE_S, None, self._client_returns)
        else:
            self._client_sends(now_s)

    def _client_returns(self, event: simpy.Event) -> None:
        self._num_pausing -= 1
        self._client_sends(self._environment.now)


def engine_options(
    deployment: ServingDeployment, num_prefix_tokens: int, *, is_stepwise: bool
) -> EngineOptions:
    """What the engines of a deployment are told."""
    has_cache = deployment.has_prefix_caching
    return EngineOptions(
        scheduler=deployment.scheduler,
        max_num_seqs=deployment.max_num_seqs,
        max_num_batched_tokens=deployment.max_num_batched_tokens,
        num_blocks=deployment.num_blocks_per_lane,
        block_size=deployment.block_size,
        num_watermark_blocks=deployment.num_watermark_blocks,
        num_prefix_blocks=num_prefix_tokens // deployment.block_size if has_cache else 0,
        max_model_len=deployment.max_model_len,
        max_queue=deployment.max_queue,
        request_timeout_s=deployment.request_timeout_s,
        request_overhead_s=deployment.request_overhead_s,
        is_asynchronous=deployment.engine.has_asynchronous_scheduling,
        admission_interval=deployment.scheduler.admission_interval,
        admission_wait=deployment.scheduler.admission_wait,
        is_stepwise=is_stepwise,
    )
