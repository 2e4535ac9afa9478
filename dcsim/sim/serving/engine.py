"""The engine: continuous batching over paged KV blocks, with time that jumps.

One engine is one pipeline lane of one replica. A request has known tokens and computed tokens; each step
closes part of the gap, by the scheduler's plan. While nothing but decoding can happen, the batch cannot
change until the next finish, block shortage, deadline or admissible arrival: all steps up to there are
one *run*, whose end follows in closed form. Work per run is O(1) in the number of sequences.

The full semantics, and how they differ from real engines, are in docs/semantics.md.
"""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Sequence
from itertools import islice

from dcsim.errors import SimulationError
from dcsim.policies.scheduler import Budget
from dcsim.sim.serving.active_request import ActiveRequest
from dcsim.sim.serving.decode_batch import DecodeBatch
from dcsim.sim.serving.engine_options import EngineOptions
from dcsim.sim.serving.jump import jump, last_step_at_s
from dcsim.sim.serving.kv_blocks import KvBlocks
from dcsim.sim.serving.log import EngineLogs
from dcsim.sim.serving.timer import NO_WORK, StepTimer, prefill_work
from dcsim.tables import RequestStatus

_NEVER = math.inf
_Chunk = tuple[ActiveRequest, int]


class Engine(KvBlocks):
    """A continuously batching engine, brought forward by :meth:`advance`."""

    # slots, since beyond thirty attributes CPython looks each of them up in a dictionary of the instance
    # fmt: off
    __slots__ = (
        "_batch", "_budget", "_chunks", "_gate", "_has_decodes", "_has_timeout", "_inbox", "_last_decode_s",
        "_logs", "_next_ready_s", "_num_admissions", "_num_late", "_num_receiving", "_num_steps", "_options",
        "_pack", "_planned_at_s", "_prefilling", "_requests", "_reserves", "_rows", "_running",
        "_started_at_s", "_timer", "_waiting", "_work",
        "last_step_end_s", "next_event_s", "number", "on_end",
    )
    # fmt: on

    def __init__(self, number: int, options: EngineOptions, timer: StepTimer, logs: EngineLogs) -> None:
        super().__init__(options)
        self.number = number
        self.next_event_s = _NEVER  # end of the open run, or the next arrival when idle
        self.last_step_end_s = 0.0
        self.on_end: Callable[[int, float], None] | None = None  # told the request and the instant
        self._options, self._timer, self._logs = options, timer, logs
        self._requests = logs.requests
        self._pack, self._rows = logs.steps.pack, logs.steps.buffer
        self._reserves = options.scheduler.reserves_whole_prompt
        self._budget = Budget(options.max_num_batched_tokens, 0, 0, 0, options.block_size)
        self._has_timeout = options.request_timeout_s is not None
        self._inbox: deque[int] = deque()
        self._next_ready_s = _NEVER  # when the first request in the inbox reaches the queue
        self._planned_at_s = _NEVER  # asynchronous: when the step about to start was planned, one step ago
        self._num_late = 0  # requests at the end of the queue that came after that
        self._waiting: deque[ActiveRequest] = deque()
        self._prefilling: list[ActiveRequest] = []
        self._running: OrderedDict[ActiveRequest, None] = OrderedDict()  # in order of admission
        self._num_admissions = 0
        self._batch = DecodeBatch(options.block_size)
        self._last_decode_s = 0.0
        self._num_receiving = 0  # sequences whose KV cache is on its way here: see decode_engine.py
        self._gate = options.admission_gate()
        # the open run
        self._num_steps = 0  # 0: idle
        self._started_at_s = 0.0
        self._has_decodes = False
        self._chunks: list[_Chunk] = []
        self._work = NO_WORK

    def submit(self, requests: Iterable[int]) -> None:
        """Hand over requests (rows of the request log), in order of arrival, none before the last advance."""
        self._inbox.extend(requests)
        if self._next_ready_s == _NEVER and self._inbox:
            self._next_ready_s = self._ready_s(self._inbox[0])
            if not self._num_steps:
                self.next_event_s = min(self.next_event_s, self._next_ready_s)
            elif not self._chunks and self._next_ready_s < self.next_event_s:
                if self._gate is not None:
                    self._num_steps = self._steps_until_look(self._num_steps, self._started_at_s)
                    self._cut_run(_NEVER)
                elif self._can_admit():
                    self._cut_run(self._next_ready_s)

    def advance(self, until_s: float) -> None:
        """Bring the engine to its last step boundary at or before ``until_s``."""
        while self.next_event_s <= until_s:
            now_s = self.next_event_s
            if self._num_steps:
                self._close_run(now_s)
            self._open_run(now_s)

    def stop(self, at_s: float) -> None:
        """End the simulation: an open run is closed at its first boundary at or after ``at_s``."""
        if self._num_steps:
            if not self._chunks and self.next_event_s > at_s:
                self._cut_run(at_s)
            self._close_run(self.next_event_s)
            self._num_steps = 0
        self.next_event_s = _NEVER
        for request in [*self._running, *self._waiting]:
            if request.is_decoding:
                self._batch.leave(request)
            self._requests.num_generated_tokens[request.index] = request.num_generated_tokens

    def _open_run(self, now_s: float) -> None:
        self._num_late = 0
        if self._next_ready_s <= now_s and (self._gate is None or self._gate.lets_in(len(self._running))):
            self._take_arrivals(now_s)
        if self._has_timeout:
            self._expire(now_s)
        self._started_at_s = now_s
        self._has_decodes = True
        self._chunks = []
        has_preempted = False
        batch = self._batch
        while batch.num_blocks_next > self._free_blocks:
            self._preempt_last(now_s)
            has_preempted = True
        if self._prefilling or (self._waiting and not has_preempted):
            has_preempted |= self._plan_chunks(now_s, has_preempted)
        if self._chunks:
            self._num_steps = 1
            decodes, context = (batch.num_sequences, batch.context_tokens) if self._has_decodes else (0, 0)
            self.next_event_s = now_s + self._timer.mixed_s(decodes, context, self._work, self._chunks)
        elif batch.num_sequences:
            self._jump(now_s, is_single=has_preempted or self._num_late > 0 or self._options.is_stepwise)
        elif self._waiting and not self._num_sent_blocks:
            raise SimulationError("an engine has requests waiting, nothing running, and admits none")
        else:
            self._num_steps = 0
            self._planned_at_s = _NEVER
            self.next_event_s = max(min(self._next_ready_s, self._next_deadline_s()), now_s)

    def _take_arrivals(self, now_s: float) -> None:
        inbox, options, requests = self._inbox, self._options, self._requests
        while self._next_ready_s <= now_s:
            ready_s, index = self._next_ready_s, inbox.popleft()
            self._next_ready_s = self._ready_s(inbox[0]) if inbox else _NEVER
            prompt, output = requests.num_prompt_tokens[index], requests.num_output_tokens[index]
            request = ActiveRequest(index, prompt, output, requests.prefix[index])
            if options.request_timeout_s is not None:
                request.deadline_s = requests.arrived_at_s[index] + options.request_timeout_s
                self._expire_waiting(ready_s)
            is_queue_full = options.max_queue is not None and len(self._waiting) >= options.max_queue
            if is_queue_full or options.is_too_long(prompt, output):
                self._end(request, RequestStatus.REJECTED, ready_s)
            else:
                self._waiting.append(request)
                self._num_late += ready_s > self._planned_at_s

    def _plan_chunks(self, now_s: float, has_preempted: bool) -> bool:
        """Ask the scheduler, then take blocks for what it chose. True if the next plan may differ at once."""
        options, budget, waiting, batch = self._options, self._budget, self._waiting, self._batch
        budget.num_seqs = options.max_num_seqs - len(self._running) - self._num_receiving
        budget.num_free_blocks = self._free_blocks - batch.num_blocks_next
        budget.num_watermark_blocks = options.num_watermark_blocks if self._running else 0
        candidates = () if has_preempted else self._candidates()
        if self._cache:
            self._cache.begin_plan()
            candidates = map(self._cache.look_up, candidates)
        plan = options.scheduler.schedule(candidates, self._prefilling, batch.num_sequences, budget)
        self._has_decodes = plan.has_decodes
        chosen: list[_Chunk] = plan.chunks  # type: ignore[assignment]  # the scheduler got our requests
        num_continued = len(chosen) - plan.num_admitted
        chunks, admitted = chosen[:num_continued], chosen[num_continued:]
        if self._cache:
            for request, _ in admitted:
                self._share(request)  # before any block is taken, which might evict what it hits
        if chunks:
            num_waiting = len(waiting)
            chunks = self._continue_chunks(chunks, now_s)
            has_preempted = len(waiting) > num_waiting
            if has_preempted and admitted:
                raise SimulationError("a scheduler admitted requests although prompts under way lack blocks")
        for request, count in admitted:
            if waiting.popleft() is not request:
                raise SimulationError("a scheduler must admit waiting requests in order")
            self._admit(request, count, now_s)
        self._chunks = chunks = chunks + admitted if chunks else admitted
        self._work = prefill_work(chunks)
        # blocks that decodes take may evict what the first in the queue would hit, and change what it needs
        is_shaky = bool(self._cache and waiting) and waiting[0].num_shared_blocks > waiting[0].num_held_blocks
        return has_preempted or is_shaky

    def _candidates(self) -> Iterable[ActiveRequest]:
        """Who waits, and was there when the step was planned."""
        if self._num_late and (self._prefilling or self._batch.num_sequences):
            return islice(self._waiting, max(len(self._waiting) - self._num_late, 0))
        return self._waiting

    def _continue_chunks(self, chunks: list[_Chunk], now_s: float) -> list[_Chunk]:
        """The chunks of prompts under way for which there are blocks."""
        if not self._reserves:
            return [chunk for chunk in chunks if self._take_chunk_blocks(*chunk, now_s)]
        if self._cache:
            for request, count in chunks:
                self._cache.register_chunk(request, count)
        return chunks

    def _take_chunk_blocks(self, request: ActiveRequest, num_tokens: int, now_s: float) -> bool:
        """Blocks for a chunk of a request that runs already. False if it was preempted for want of them."""
        while request.admission >= 0:
            wanted = -(-(request.num_computed_tokens + num_tokens) // self._block_size)
            missing = wanted - request.num_held_blocks
            needed = self._batch.num_blocks_next if self._has_decodes else 0
            if missing <= self._free_blocks - needed:
                self._take(request, missing)
                if self._cache:
                    self._cache.register_chunk(request, num_tokens)
                return True
            self._preempt_last(now_s)
        return False

    def _admit(self, request: ActiveRequest, num_tokens: int, now_s: float) -> None:
        tokens = request.num_target_tokens if self._reserves else request.num_computed_tokens + num_tokens
        self._take(request, -(-tokens // self._block_size) - request.num_held_blocks)
        if self._cache:
            self._cache.register_chunk(request, num_tokens)
        request.admission = self._num_admissions
        self._num_admissions += 1
        self._running[request] = None
        self._prefilling.append(request)
        requests, index = self._requests, request.index
        if not requests.num_preemptions[index]:
            requests.scheduled_at_s[index] = now_s
            requests.num_cached_tokens[index] = request.num_computed_tokens

    def _jump(self, now_s: float, *, is_single: bool) -> None:
        batch = self._batch
        steps = 1 if is_single else batch.num_equal_steps(self._free_blocks)
        cut_s = self._next_ready_s if self._can_admit() else _NEVER
        if self._gate is not None:
            steps, cut_s = self._steps_until_look(steps, now_s), _NEVER
        if self._has_timeout:
            cut_s = min(cut_s, self._next_deadline_s())
        self._work = NO_WORK
        self._num_steps, self.next_event_s = jump(
            self._timer, batch.num_sequences, batch.context_tokens, steps, now_s, cut_s
        )

    def _steps_until_look(self, most: int, started_at_s: float) -> int:
        """Steps of the run until the gate is asked about the next request, or ``most``."""
        assert self._gate
        until_ready, batch = 0, self._batch
        if self._next_ready_s > started_at_s:
            until_ready, end_s = jump(
                self._timer, batch.num_sequences, batch.context_tokens, most, started_at_s, self._next_ready_s
            )
            if end_s < self._next_ready_s:
                return most
        return min(most, self._gate.steps_until_look(until_ready))

    def _cut_run(self, at_s: float) -> None:
        """End the open jump with its first step that ends at or after ``at_s``."""
        batch = self._batch
        self._num_steps, self.next_event_s = jump(
            self._timer, batch.num_sequences, batch.context_tokens, self._num_steps, self._started_at_s, at_s
        )

    def _can_admit(self) -> bool:
        """Whether a new arrival could join the batch: nobody waits before it, and a sequence slot is free."""
        return not self._waiting and len(self._running) + self._num_receiving < self._options.max_num_seqs

    def _close_run(self, now_s: float) -> None:
        batch, steps = self._batch, self._num_steps
        tokens, chunks, pairs, square, prefill_context, finished = self._work
        self.last_step_end_s = now_s
        if self._gate is not None:
            self._gate.count(steps, has_prompts=bool(self._chunks))
        if self._options.is_asynchronous:
            self._planned_at_s = last_step_at_s(self._timer, batch, steps, self._started_at_s, now_s)
        decodes = context = 0
        done: Sequence[ActiveRequest] = ()
        if self._has_decodes and batch.num_sequences:
            decodes, context = batch.num_sequences, batch.context_tokens
            needed = batch.num_blocks_next if steps == 1 else batch.num_blocks_needed(steps)
            if needed:
                self._free_blocks -= needed
                if self._cache:
                    self._cache.take(needed)
            done = batch.advance(steps)
            self._last_decode_s = now_s
        started_s = self._started_at_s
        used = self._num_blocks - self._free_blocks
        # fmt: off
        self._rows += self._pack(
            self.number, started_s, now_s - started_s, steps, decodes, context, tokens, chunks, pairs, square,
            prefill_context, decodes + finished, used, len(self._waiting),
        )
        # fmt: on
        for request in done:
            batch.leave(request)
            request.num_held_blocks = -(-request.num_computed_tokens // self._block_size)
            self._finish(request, now_s)
        for request, count in self._chunks:
            request.num_computed_tokens += count
            if request.num_computed_tokens == request.num_target_tokens:
                self._yield_token(request, now_s)

    def _yield_token(self, request: ActiveRequest, now_s: float) -> None:
        """A request has computed all it knows: it produces a token, and decodes if that was not its last."""
        self._prefilling.remove(request)
        request.num_generated_tokens += 1
        request.last_token_at_s = now_s
        if request.num_generated_tokens == 1:
            self._requests.first_token_at_s[request.index] = now_s
        if request.preemption_row is not None:
            self._logs.preemptions.resume(request.preemption_row, now_s)
            request.preemption_row = None
        if request.num_generated_tokens == request.num_output_tokens:
            self._finish(request, now_s)
        else:
            self._begin_decoding(request, now_s)

    def _begin_decoding(self, request: ActiveRequest, now_s: float) -> None:
        """A request has its first token, or the next after a preemption, and goes on."""
        self._batch.enter(request)

    def _finish(self, request: ActiveRequest, now_s: float) -> None:
        self._free(request)
        self._end(request, RequestStatus.FINISHED, now_s)

    def _end(self, request: ActiveRequest, status: RequestStatus, now_s: float) -> None:
        requests, index = self._requests, request.index
        requests.status[index] = status
        requests.num_generated_tokens[index] = request.num_generated_tokens
        if status is not RequestStatus.REJECTED:
            requests.finished_at_s[index] = now_s
        self._logs.num_outstanding[self.number] -= 1
        if self.on_end:
            self.on_end(index, now_s)

    def _withdraw(self, request: ActiveRequest) -> None:
        """Take a running request out of the batch before its time, and free its blocks."""
        if request.is_decoding:
            if self._batch.step > request.entered_step:
                request.last_token_at_s = self._last_decode_s
            self._batch.leave(request)
            request.num_held_blocks = -(-request.num_computed_tokens // self._block_size)
        else:
            self._prefilling.remove(request)
        self._free(request)

    def _free(self, request: ActiveRequest) -> None:
        """A request no longer runs: its blocks become free."""
        request.admission = -1
        del self._running[request]
        self._give_back(request)

    def _preempt_last(self, now_s: float) -> None:
        """Throw away what the request admitted last has computed; it waits at the front to start over."""
        request = next(reversed(self._running))
        self._withdraw(request)
        row = self._logs.preemptions.add(
            request.index, self.number, now_s, request.num_computed_tokens, request.last_token_at_s
        )
        if request.preemption_row is None:
            request.preemption_row = row
        request.num_target_tokens = request.num_prompt_tokens + request.num_generated_tokens
        request.num_computed_tokens = 0
        self._waiting.appendleft(request)
        self._requests.num_preemptions[request.index] += 1

    def _expire(self, now_s: float) -> None:
        while self._running and (first := next(iter(self._running))).deadline_s <= now_s:
            self._withdraw(first)
            self._end(first, RequestStatus.TIMED_OUT, first.deadline_s)
        self._expire_waiting(now_s)

    def _expire_waiting(self, now_s: float) -> None:
        while self._waiting and self._waiting[0].deadline_s <= now_s:
            first = self._waiting.popleft()
            self._end(first, RequestStatus.TIMED_OUT, first.deadline_s)

    def _next_deadline_s(self) -> float:
        """When the first request gives up: those that run and those that wait are in order of arrival."""
        first_s = next(iter(self._running)).deadline_s if self._running else _NEVER
        return min(first_s, self._waiting[0].deadline_s) if self._waiting else first_s

    def _ready_s(self, index: int) -> float:
        return self._requests.sent_at_s(index) + self._options.request_overhead_s
