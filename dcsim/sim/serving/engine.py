"""The engine: continuous batching over paged KV blocks, with time that jumps.

One engine is one pipeline lane of one replica. A request has known tokens and computed tokens; each step
closes part of the gap, by the scheduler's plan. While nothing but decoding can happen, the batch cannot
change until the next finish, block shortage, deadline or admissible arrival: all steps up to there are
one *run*, whose end follows in closed form. Work per run is O(1): sequences are not visited, but counted
(contexts in one sum, finishes in a calendar keyed by decode step, block needs by phase).

The full semantics, and how they differ from real engines, are in docs/semantics.md.
"""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from heapq import heappop, heappush

from dcsim.errors import SimulationError
from dcsim.policies.scheduler import Budget, Chunk, Scheduler, StepPlan
from dcsim.sim.serving.active_request import ActiveRequest
from dcsim.sim.serving.jump import first_step_at, jump_s
from dcsim.sim.serving.log import PreemptionLog, RequestLog, StepLog
from dcsim.sim.serving.prefix_cache import PrefixCache
from dcsim.sim.serving.timer import PrefillWork, StepTimer
from dcsim.tables import RequestStatus

_NEVER = math.inf
_NO_WORK = PrefillWork(0, 0, 0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """What an engine is told once."""

    scheduler: Scheduler
    max_num_seqs: int
    max_num_batched_tokens: int
    num_blocks: int
    block_size: int
    num_watermark_blocks: int = 0
    num_prefix_blocks: int = 0  # whole blocks of the shared prefix; 0 turns the prefix cache off
    max_model_len: int | None = None
    max_queue: int | None = None
    request_timeout_s: float | None = None
    request_overhead_s: float = 0.0
    is_stepwise: bool = False  # one run per step: the twin that fast-forward is held against


@dataclass(frozen=True, slots=True)
class EngineLogs:
    """Where engines write; shared by all engines of a workload."""

    requests: RequestLog
    steps: StepLog
    preemptions: PreemptionLog
    num_outstanding: list[int]  # per engine: requests that it holds or is about to get


class Engine:
    """A continuously batching engine, brought forward by :meth:`advance`."""

    def __init__(self, number: int, options: EngineOptions, timer: StepTimer, logs: EngineLogs) -> None:
        self.number = number
        self.next_event_s = _NEVER  # end of the open run, or the next arrival when idle
        self.on_end: Callable[[int, float], None] | None = (
            None  # called with (request, instant) when one ends
        )
        self._options = options
        self._timer = timer
        self._logs = logs
        self._inbox: deque[int] = deque()
        self._next_ready_s = _NEVER  # when the first request in the inbox reaches the queue
        self._waiting: deque[ActiveRequest] = deque()
        self._prefilling: list[ActiveRequest] = []
        self._running: OrderedDict[ActiveRequest, None] = OrderedDict()  # in order of admission
        self._num_admissions = 0
        self._free_blocks = options.num_blocks
        self._cache = PrefixCache(options.num_blocks) if options.num_prefix_blocks else None
        # decoding sequences, as counts
        self._num_decodes = 0
        self._context_tokens = 0  # sum over decodes of the context attended to in the next decode step
        self._decode_step = 0
        self._calendar: list[
            tuple[int, int, ActiveRequest]
        ] = []  # (decode step of finish, admission, request)
        self._phases = [0] * options.block_size  # decodes that need a block in decode steps of this phase
        self._last_decode_s = 0.0
        # the open run
        self._num_steps = 0
        self._started_at_s = 0.0
        self._has_decodes = False
        self._chunks: list[Chunk] = []
        self._work = _NO_WORK

    # --- what the fleet calls ---------------------------------------------------------------------

    def submit(self, requests: Iterable[int]) -> None:
        """Hand over requests (rows of the request log), in order of arrival, none before the last advance."""
        self._inbox.extend(requests)
        if self._next_ready_s == _NEVER and self._inbox:
            self._next_ready_s = self._ready_s(self._inbox[0])
            if not self._num_steps:
                self.next_event_s = self._next_ready_s
            elif not self._chunks and self._next_ready_s < self.next_event_s and self._can_admit():
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
        for request in self._running:
            self._logs.requests.num_generated_tokens[request.index] = self._num_generated(request)

    # --- opening a run ----------------------------------------------------------------------------

    def _open_run(self, now_s: float) -> None:
        if self._next_ready_s <= now_s:
            self._take_arrivals(now_s)
        if self._options.request_timeout_s is not None:
            self._expire(now_s)
        has_preempted = self._num_decodes > 0 and self._preempt_for_decodes(now_s)
        self._started_at_s = now_s
        self._chunks = []
        self._has_decodes = True
        if self._prefilling or (self._waiting and not has_preempted):
            self._plan_chunks(now_s, has_preempted)
        if self._chunks:
            self._num_steps = 1
            self._time_chunks(now_s)
        elif self._num_decodes:
            self._jump(now_s, is_single=self._options.is_stepwise or has_preempted)
        elif self._waiting:
            raise SimulationError("an engine has requests waiting, nothing running, and admits none")
        else:
            self._num_steps = 0
            self.next_event_s = self._next_ready_s

    def _take_arrivals(self, now_s: float) -> None:
        inbox, options, requests = self._inbox, self._options, self._logs.requests
        while self._next_ready_s <= now_s:
            ready_s, index = self._next_ready_s, inbox.popleft()
            self._next_ready_s = self._ready_s(inbox[0]) if inbox else _NEVER
            prompt, output = requests.num_prompt_tokens[index], requests.num_output_tokens[index]
            request = ActiveRequest(index, prompt, output, requests.prefix[index])
            if options.request_timeout_s is not None:
                request.deadline_s = requests.arrived_at_s[index] + options.request_timeout_s
                self._expire_waiting(ready_s)
            is_too_long = options.max_model_len is not None and prompt + output > options.max_model_len
            is_queue_full = options.max_queue is not None and len(self._waiting) >= options.max_queue
            if is_too_long or is_queue_full or self._blocks(prompt + output - 1) > options.num_blocks:
                self._end(request, RequestStatus.REJECTED, ready_s)
            else:
                self._waiting.append(request)

    def _plan_chunks(self, now_s: float, has_preempted: bool) -> None:
        options = self._options
        needed = self._phases[self._decode_step % options.block_size]
        waiting: Iterable[ActiveRequest] = () if has_preempted else self._waiting
        if self._cache:
            waiting = map(self._look_up, waiting)
        budget = Budget(
            options.max_num_batched_tokens,
            options.max_num_seqs - len(self._running),
            self._free_blocks - needed,
            options.num_watermark_blocks if self._running else 0,
            options.block_size,
        )
        plan = options.scheduler.schedule(waiting, self._prefilling, self._num_decodes, budget)
        self._has_decodes = plan.has_decodes
        self._execute(plan, now_s)

    def _execute(self, plan: StepPlan, now_s: float) -> None:
        num_running_chunks = len(plan.chunks) - plan.num_admitted
        has_preempted = False
        for chunk in plan.chunks[:num_running_chunks]:
            has_preempted |= self._take_chunk_blocks(chunk, now_s)
        if has_preempted:
            return
        for chunk in plan.chunks[num_running_chunks:]:
            request = self._waiting.popleft()
            if request is not chunk.request:
                raise SimulationError("a scheduler must admit waiting requests in order")
            self._admit(request, chunk, now_s)

    def _take_chunk_blocks(self, chunk: Chunk, now_s: float) -> bool:
        """Blocks for a chunk of a request that runs already. True if somebody was preempted for them."""
        request = chunk.request
        assert isinstance(request, ActiveRequest)
        has_preempted = False
        while request.admission >= 0:
            missing = self._blocks(request.num_computed_tokens + chunk.num_tokens) - request.num_held_blocks
            needed = self._phases[self._decode_step % self._options.block_size] if self._has_decodes else 0
            if missing <= self._free_blocks - needed:
                self._take(request, max(missing, 0))
                self._chunks.append(chunk)
                self._register(request, chunk.num_tokens)
                break
            self._preempt(next(reversed(self._running)), now_s)
            has_preempted = True
        return has_preempted

    def _admit(self, request: ActiveRequest, chunk: Chunk, now_s: float) -> None:
        reserves = self._options.scheduler.reserves_whole_prompt
        if self._cache:
            shared = request.num_shared_blocks
            self._free_blocks -= shared - request.num_held_blocks  # idle cached blocks come back into use
            self._cache.reference(request.prefix, shared)
            request.num_held_blocks = shared
        tokens = request.num_target_tokens if reserves else request.num_computed_tokens + chunk.num_tokens
        self._take(request, self._blocks(tokens) - request.num_held_blocks)
        request.admission = self._num_admissions
        self._num_admissions += 1
        self._running[request] = None
        self._prefilling.append(request)
        self._chunks.append(chunk)
        self._register(request, chunk.num_tokens)
        requests, index = self._logs.requests, request.index
        if not requests.num_preemptions[index]:
            requests.scheduled_at_s[index] = now_s
            requests.num_cached_tokens[index] = request.num_computed_tokens

    def _time_chunks(self, now_s: float) -> None:
        tokens = pairs = square = context = finished = 0
        chunks: list[tuple[int, int]] = []
        for request, count in self._chunks:
            cached = request.num_computed_tokens
            tokens += count
            pairs += count * cached
            square += count * count
            context += count + cached
            finished += cached + count == request.num_target_tokens
            chunks.append((count, cached))
        self._work = PrefillWork(tokens, len(chunks), pairs, square, context, finished)
        decodes, decode_context = (self._num_decodes, self._context_tokens) if self._has_decodes else (0, 0)
        self.next_event_s = now_s + self._timer.mixed_s(decodes, decode_context, self._work, chunks)

    def _jump(self, now_s: float, *, is_single: bool) -> None:
        calendar = self._calendar
        while not _is_current(calendar[0]):
            heappop(calendar)
        steps = 1 if is_single else calendar[0][0] - self._decode_step
        if steps > 1 and self._blocks_for_steps(steps) > self._free_blocks:
            steps = self._steps_until_shortage()
        self._work = _NO_WORK
        self._num_steps = steps
        self.next_event_s = now_s + jump_s(self._timer, self._num_decodes, self._context_tokens, steps)
        cut_s = self._next_ready_s if self._can_admit() else _NEVER
        if self._options.request_timeout_s is not None:
            cut_s = min(cut_s, next(iter(self._running)).deadline_s)
            if self._waiting:
                cut_s = min(cut_s, self._waiting[0].deadline_s)
        if cut_s < self.next_event_s:
            self._cut_run(cut_s)

    def _cut_run(self, at_s: float) -> None:
        """End the open jump with its first step that ends at or after ``at_s``."""
        self._num_steps, self.next_event_s = first_step_at(
            self._timer, self._num_decodes, self._context_tokens, self._num_steps, self._started_at_s, at_s
        )

    def _can_admit(self) -> bool:
        """Whether a new arrival could join the batch: nobody waits before it, and a sequence slot is free."""
        return not self._waiting and len(self._running) < self._options.max_num_seqs

    # --- closing a run ----------------------------------------------------------------------------

    def _close_run(self, now_s: float) -> None:
        steps, work = self._num_steps, self._work
        decodes, context = 0, 0
        if self._has_decodes and self._num_decodes:
            decodes, context = self._num_decodes, self._context_tokens
            needed = self._blocks_for_steps(steps)
            if needed:
                self._free_blocks -= needed
                if self._cache:
                    self._cache.take(needed)
            self._decode_step += steps
            self._context_tokens += decodes * steps
            self._last_decode_s = now_s
        log = self._logs.steps
        log.buffer += log.pack(
            self.number,
            self._started_at_s,
            now_s - self._started_at_s,
            steps,
            decodes,
            context,
            work.num_tokens,
            work.num_chunks,
            work.pairs,
            work.square,
            work.context_tokens,
            decodes + work.num_finished,
            self._options.num_blocks - self._free_blocks,
            len(self._waiting),
        )
        calendar = self._calendar
        while calendar and calendar[0][0] <= self._decode_step:
            entry = heappop(calendar)
            if _is_current(entry):
                self._finish(entry[2], now_s)
        for request, count in self._chunks:
            self._compute(request, count, now_s)  # type: ignore[arg-type]

    def _compute(self, request: ActiveRequest, num_tokens: int, now_s: float) -> None:
        request.num_computed_tokens += num_tokens
        if request.num_computed_tokens < request.num_target_tokens:
            return
        self._prefilling.remove(request)
        request.num_generated_tokens += 1
        if request.num_generated_tokens == 1:
            self._logs.requests.first_token_at_s[request.index] = now_s
        if request.preemption_row is not None:
            self._logs.preemptions.resume(request.preemption_row, now_s)
            request.preemption_row = None
        request.entered_step = self._decode_step
        request.last_token_at_s = now_s
        if request.num_generated_tokens == request.num_output_tokens:
            self._finish(request, now_s)
            return
        request.is_decoding = True
        finish_step = self._decode_step + request.num_output_tokens - request.num_generated_tokens
        heappush(self._calendar, (finish_step, request.admission, request))
        self._count_decode(request, 1)

    def _finish(self, request: ActiveRequest, now_s: float) -> None:
        self._logs.requests.num_generated_tokens[request.index] = request.num_output_tokens
        self._let_go(request)
        self._end(request, RequestStatus.FINISHED, now_s)

    def _end(self, request: ActiveRequest, status: RequestStatus, now_s: float) -> None:
        requests = self._logs.requests
        requests.status[request.index] = status
        if status is not RequestStatus.REJECTED:
            requests.finished_at_s[request.index] = now_s
        self._logs.num_outstanding[self.number] -= 1
        if self.on_end:
            self.on_end(request.index, now_s)

    # --- decodes, blocks, preemption --------------------------------------------------------------

    def _num_generated(self, request: ActiveRequest) -> int:
        steps = self._decode_step - request.entered_step if request.is_decoding else 0
        return request.num_generated_tokens + steps

    def _num_computed(self, request: ActiveRequest) -> int:
        steps = self._decode_step - request.entered_step if request.is_decoding else 0
        return request.num_computed_tokens + steps

    def _count_decode(self, request: ActiveRequest, sign: int) -> None:
        """Add a sequence to the decodes, or take it off them."""
        self._num_decodes += sign
        self._context_tokens += sign * (self._num_computed(request) + 1)
        phase = (request.entered_step - request.num_computed_tokens) % self._options.block_size
        self._phases[phase] += sign

    def _let_go(self, request: ActiveRequest) -> None:
        """Take a request out of the batch and free its blocks."""
        computed = self._num_computed(request)
        held = self._blocks(computed) if request.is_decoding else request.num_held_blocks
        if request.is_decoding:
            self._count_decode(request, -1)
            request.is_decoding = False
        request.admission = -1
        del self._running[request]
        freed = held - request.num_shared_blocks
        if self._cache:
            self._cache.give_back(freed)
            freed += self._cache.release(request.prefix, request.num_shared_blocks)
        self._free_blocks += freed
        request.num_held_blocks = request.num_shared_blocks = 0

    def _preempt_for_decodes(self, now_s: float) -> bool:
        has_preempted = False
        while self._phases[self._decode_step % self._options.block_size] > self._free_blocks:
            self._preempt(next(reversed(self._running)), now_s)
            has_preempted = True
        return has_preempted

    def _preempt(self, request: ActiveRequest, now_s: float) -> None:
        """Throw away what a running request has computed; it waits at the front to compute it again."""
        lost, generated = self._num_computed(request), self._num_generated(request)
        if request.is_decoding and self._decode_step > request.entered_step:
            request.last_token_at_s = self._last_decode_s
        if not request.is_decoding:
            self._prefilling.remove(request)
        self._let_go(request)
        request.num_generated_tokens = generated
        request.num_target_tokens = request.num_prompt_tokens + generated
        request.num_computed_tokens = 0
        self._waiting.appendleft(request)
        self._logs.requests.num_preemptions[request.index] += 1
        row = self._logs.preemptions.add(request.index, self.number, now_s, lost, request.last_token_at_s)
        if request.preemption_row is None:
            request.preemption_row = row

    def _expire(self, now_s: float) -> None:
        while self._running and (first := next(iter(self._running))).deadline_s <= now_s:
            if not first.is_decoding:
                self._prefilling.remove(first)
            self._logs.requests.num_generated_tokens[first.index] = self._num_generated(first)
            self._let_go(first)
            self._end(first, RequestStatus.TIMED_OUT, first.deadline_s)
        self._expire_waiting(now_s)

    def _expire_waiting(self, now_s: float) -> None:
        while self._waiting and self._waiting[0].deadline_s <= now_s:
            first = self._waiting.popleft()
            self._logs.requests.num_generated_tokens[first.index] = first.num_generated_tokens
            self._end(first, RequestStatus.TIMED_OUT, first.deadline_s)

    def _blocks(self, num_tokens: int) -> int:
        return -(-num_tokens // self._options.block_size)

    def _take(self, request: ActiveRequest, num_blocks: int) -> None:
        request.num_held_blocks += num_blocks
        self._free_blocks -= num_blocks
        if self._cache:
            self._cache.take(num_blocks)

    def _blocks_for_steps(self, num_steps: int) -> int:
        """Blocks that the decodes need in the next so many decode steps."""
        size, phases = self._options.block_size, self._phases
        if num_steps == 1:
            return phases[self._decode_step % size]
        cycles, rest = divmod(num_steps, size)
        first = self._decode_step % size
        needed = cycles * self._num_decodes + sum(phases[first : first + rest])
        return needed + sum(phases[: max(first + rest - size, 0)])

    def _steps_until_shortage(self) -> int:
        """The most decode steps whose blocks are all free; the first step's are."""
        size, phases = self._options.block_size, self._phases
        cycles = self._free_blocks // self._num_decodes
        free, steps = self._free_blocks - cycles * self._num_decodes, cycles * size
        while (needed := phases[(self._decode_step + steps) % size]) <= free:
            free -= needed
            steps += 1
        return steps

    # --- prefix cache -----------------------------------------------------------------------------

    def _look_up(self, request: ActiveRequest) -> ActiveRequest:
        """Set what a waiting request would find in the prefix cache now."""
        if self._cache and request.prefix >= 0:
            size = self._options.block_size
            most = min(self._options.num_prefix_blocks, (request.num_prompt_tokens - 1) // size)
            shared, in_use = self._cache.num_hit_blocks(request.prefix, most)
            request.num_shared_blocks, request.num_held_blocks = shared, in_use
            request.num_computed_tokens = shared * size
        return request

    def _register(self, request: ActiveRequest, num_tokens: int) -> None:
        """Make the prefix blocks that this step computes known to the cache."""
        if self._cache and request.prefix >= 0:
            whole = (request.num_computed_tokens + num_tokens) // self._options.block_size
            most = min(whole, self._options.num_prefix_blocks)
            request.num_shared_blocks = self._cache.register(request.prefix, request.num_shared_blocks, most)

    def _ready_s(self, index: int) -> float:
        return self._logs.requests.arrived_at_s[index] + self._options.request_overhead_s


def _is_current(entry: tuple[int, int, ActiveRequest]) -> bool:
    """Whether a calendar entry still stands: its request has not been preempted or timed out since."""
    return entry[2].admission == entry[1]
