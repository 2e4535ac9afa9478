"""The engine of a replica that decodes what others have begun: it admits KV caches and waits for them.

A request comes with its prompt computed and its first token produced. It waits until there are blocks for
its prompt and a place among the sequences; both are then set aside, and the transfer of its KV cache begins.
When that has arrived, it decodes from the next step on. A request that is preempted here is computed again
here, as in any engine, and goes before all that have not been admitted.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from itertools import chain, takewhile
from math import inf

from dcsim.sim.serving.active_request import ActiveRequest, Handoff
from dcsim.sim.serving.engine import Engine
from dcsim.sim.serving.engine_options import EngineOptions
from dcsim.sim.serving.log import EngineLogs, KvTransferLog
from dcsim.sim.serving.timer import StepTimer
from dcsim.tables import RequestStatus


class DecodeEngine(Engine):
    """An engine whose prompts are computed elsewhere."""

    __slots__ = ("_come", "_transfers", "on_admitted", "on_dropped")

    on_admitted: Callable[[ActiveRequest, int, float], None]  # request, engine and instant: send its KV cache
    on_dropped: Callable[[Handoff, float], None]  # nobody wants the KV cache any more

    def __init__(
        self,
        number: int,
        options: EngineOptions,
        timer: StepTimer,
        logs: EngineLogs,
        transfers: KvTransferLog,
    ) -> None:
        super().__init__(number, options, timer, logs)
        self._transfers = transfers
        self._come: deque[tuple[float, ActiveRequest]] = deque()  # requests, and then their KV caches

    def hand_over(self, request: ActiveRequest, now_s: float) -> None:
        """A request whose prompt has been computed elsewhere comes, or its KV cache does. Not in the past."""
        assert request.handoff is not None
        self._come.append((now_s, request))
        self._next_ready_s = self._come[0][0]
        if not self._num_steps:
            self.next_event_s = min(self.next_event_s, now_s)
            return
        # one that only waits frees blocks elsewhere when its client gives up
        cut_s = now_s if request.handoff.is_here or self._can_admit() else request.deadline_s
        if not self._chunks and cut_s < self.next_event_s:
            self._cut_run(cut_s)

    def _take_arrivals(self, now_s: float) -> None:
        """What had come when the step about to start was planned; an idle engine plans at once."""
        planned_at_s, come = self._planned_at_s if self._running else inf, self._come
        while come and come[0][0] <= planned_at_s:
            request = come.popleft()[1]
            assert request.handoff is not None
            if request.handoff.is_here:
                self._join(request, now_s)
            else:
                self._waiting.append(request)
        self._num_late = len(come)
        self._next_ready_s = come[0][0] if come else inf

    def _join(self, request: ActiveRequest, now_s: float) -> None:
        """A KV cache is here: its request decodes, unless its client has given up meanwhile."""
        handoff, request.handoff = request.handoff, None
        assert handoff is not None
        self._num_receiving -= 1
        self._num_sent_blocks -= request.num_held_blocks
        if request.deadline_s <= now_s:
            self._give_back(request)
            self._end(request, RequestStatus.TIMED_OUT, request.deadline_s)
            return
        self._transfers.decode(handoff.row, now_s)
        request.admission = self._num_admissions
        self._num_admissions += 1
        self._running[request] = None
        self._batch.enter(request)

    def _plan_chunks(self, now_s: float, has_preempted: bool) -> bool:
        if not has_preempted:
            self._admit_remote(now_s)
        if self._prefilling or (self._waiting and self._waiting[0].handoff is None):
            return super()._plan_chunks(now_s, has_preempted)
        return False

    def _admit_remote(self, now_s: float) -> None:
        """Set aside what the first in the queue need, and have their KV caches sent."""
        options, waiting = self._options, self._waiting
        while waiting and waiting[0].handoff is not None:
            request = waiting[0]
            num_sequences = len(self._running) + self._num_receiving
            if num_sequences >= options.max_num_seqs:
                return
            num_blocks = -(-request.num_computed_tokens // self._block_size)
            left = self._free_blocks - self._batch.num_blocks_next - num_blocks
            if left < (options.num_watermark_blocks if num_sequences else 0):
                return
            waiting.popleft()
            self._take(request, num_blocks)
            self._num_receiving += 1
            self._num_sent_blocks += num_blocks
            self.on_admitted(request, self.number, now_s)

    def _candidates(self) -> Iterable[ActiveRequest]:
        """Those that were preempted: they stand before all others."""
        return takewhile(lambda request: request.handoff is None, self._waiting)

    def _can_admit(self) -> bool:
        """Also where a KV cache is the first to have come."""
        if self._come and (handoff := self._come[0][1].handoff) is not None and handoff.is_here:
            return True
        return super()._can_admit()

    def _next_deadline_s(self) -> float:
        """The earliest of all: KV caches do not come in order of arrival."""
        if not self._has_timeout:
            return inf
        return min((one.deadline_s for one in chain(self._running, self._waiting)), default=inf)

    def _expire(self, now_s: float) -> None:
        for request in [one for one in self._running if one.deadline_s <= now_s]:
            self._withdraw(request)
            self._end(request, RequestStatus.TIMED_OUT, request.deadline_s)
        for request in [one for one in self._waiting if one.deadline_s <= now_s]:
            self._waiting.remove(request)
            if request.handoff is not None:
                self.on_dropped(request.handoff, now_s)
            self._end(request, RequestStatus.TIMED_OUT, request.deadline_s)
