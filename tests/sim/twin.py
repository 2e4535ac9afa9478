"""A naive twin of one serving engine: every request, block and step explicit, nothing fast.

Written from the description of the engine's rules, not from the engine, to be compared with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from dcsim.tables import RequestStatus
from tests.sim.twin_blocks import TwinBlocks


class Timer(Protocol):
    """Step time of an engine."""

    def mixed_s(
        self, num_decodes: int, decode_context_tokens: int, chunks: Sequence[tuple[int, int]]
    ) -> float: ...


@dataclass(frozen=True, kw_only=True)
class TwinOptions:
    scheduler: str
    max_num_seqs: int
    max_num_batched_tokens: int
    num_blocks: int
    block_size: int
    num_watermark_blocks: int = 0
    num_prefix_tokens: int = 0  # 0: no prefix cache
    max_model_len: int = 1 << 40
    max_queue: int | None = None
    timeout_s: float | None = None
    overhead_s: float = 0.0
    is_asynchronous: bool = False
    admission_interval: int = 1
    admission_wait: int = 0


class Arrival(NamedTuple):
    arrived_at_s: float
    num_prompt_tokens: int
    num_output_tokens: int
    prefix: int = -1


@dataclass(eq=False)
class TwinRequest:
    number: int
    arrived_at_s: float
    num_prompt_tokens: int
    num_output_tokens: int
    prefix: int
    num_target_tokens: int
    num_computed_tokens: int = 0
    num_generated_tokens: int = 0
    blocks: list[int] = field(default_factory=list)
    status: RequestStatus = RequestStatus.UNFINISHED
    scheduled_at_s: float | None = None
    first_token_at_s: float | None = None
    finished_at_s: float | None = None
    num_cached_tokens: int = 0
    num_preemptions: int = 0

    @property
    def is_decoding(self) -> bool:
        return self.num_computed_tokens >= self.num_target_tokens


class TwinStep(NamedTuple):
    started_at_s: float
    duration_s: float
    num_decodes: int
    decode_context_tokens: int
    chunks: tuple[tuple[int, int], ...]
    num_running: int
    num_used_blocks: int


class Twin:
    """One engine; ``run`` takes it through all arrivals, one step at a time."""

    def __init__(self, options: TwinOptions, timer: Timer, arrivals: Sequence[Arrival]) -> None:
        self.options, self.timer = options, timer
        self.requests = [
            TwinRequest(i, a.arrived_at_s, a.num_prompt_tokens, a.num_output_tokens, a.prefix, a[1])
            for i, a in enumerate(arrivals)
        ]
        self.coming = list(self.requests)
        self.waiting: list[TwinRequest] = []
        self.running: list[TwinRequest] = []  # in order of admission
        self.blocks = TwinBlocks(options.num_blocks)
        self.steps: list[TwinStep] = []
        self.num_lost_tokens = 0
        self.last_step_at_s: float | None = None  # None: the engine stood still
        self.steps_since_look = 0
        self.steps_to_hold: int | None = None  # None: no request has been seen

    # -- time ------------------------------------------------------------------------------------------

    def run(self) -> list[TwinRequest]:
        now: float | None = 0.0
        while now is not None:
            if self.looks(now):
                self.take_arrivals(now)
            end = self.step(now)
            self.count_step(end)
            self.last_step_at_s = now if end is not None else None
            now = end if end is not None else self.next_instant(now)
        return self.requests

    def looks(self, now: float) -> bool:
        """Whether the engine lets in at this boundary what has reached it."""
        if not self.running:
            self.steps_since_look, self.steps_to_hold = 0, None
        if not any(self.reaches_queue_at(r) <= now for r in self.coming):
            return False
        if self.steps_since_look % self.options.admission_interval != 0:
            return False
        if self.steps_to_hold is None:
            self.steps_to_hold = self.options.admission_wait if self.running else 0
        if self.steps_to_hold > 0:
            return False
        self.steps_since_look, self.steps_to_hold = 0, None
        return True

    def count_step(self, end: float | None) -> None:
        if end is not None:
            self.steps_since_look = 0 if self.steps[-1].chunks else self.steps_since_look + 1
            if self.steps_to_hold is not None:
                self.steps_to_hold = max(0, self.steps_to_hold - 1)

    def next_instant(self, now: float) -> float | None:
        """The next time at which anything can change in an engine that stands still."""
        instants = [max(now, self.reaches_queue_at(r)) for r in self.coming]  # one was held back, maybe
        instants += [self.deadline(r) for r in self.waiting if self.deadline(r) > now]
        instants = [i for i in instants if i < float("inf")]
        return min(instants) if instants else None

    def reaches_queue_at(self, request: TwinRequest) -> float:
        return request.arrived_at_s + self.options.overhead_s

    def deadline(self, request: TwinRequest) -> float:
        timeout = self.options.timeout_s
        return float("inf") if timeout is None else request.arrived_at_s + timeout

    def take_arrivals(self, now: float) -> None:
        while self.coming and self.reaches_queue_at(self.coming[0]) <= now:
            request = self.coming.pop(0)
            self.expire(self.waiting, self.reaches_queue_at(request))
            if self.is_refused(request):
                request.status = RequestStatus.REJECTED
            else:
                self.waiting.append(request)

    def is_refused(self, request: TwinRequest) -> bool:
        options, total = self.options, request.num_prompt_tokens + request.num_output_tokens
        is_full = options.max_queue is not None and len(self.waiting) >= options.max_queue
        return total > options.max_model_len or self.num_blocks_for(total - 1) > options.num_blocks or is_full

    def expire(self, requests: list[TwinRequest], now: float) -> None:
        for request in list(requests):
            if self.deadline(request) <= now:
                requests.remove(request)
                self.free(request)
                request.status = RequestStatus.TIMED_OUT
                request.finished_at_s = self.deadline(request)

    # -- one step --------------------------------------------------------------------------------------

    def step(self, now: float) -> float | None:
        """Run one step; returns its end, or None if there is nothing to do."""
        self.expire(self.waiting, now)
        self.expire(self.running, now)
        has_preempted = self.make_room_for_decodes()
        has_decodes, planned = self.plan([] if has_preempted else self.plannable())
        chunks = self.take_chunks(planned, now)
        decodes = [r for r in self.running if r.is_decoding] if has_decodes else []
        for request in decodes:
            self.take_missing(request, 1)
        if not chunks and not decodes:
            return None
        sizes = tuple((n, r.num_computed_tokens) for r, n in chunks)
        context = sum(r.num_computed_tokens + 1 for r in decodes)
        duration = self.timer.mixed_s(len(decodes), context, sizes)
        self.steps.append(
            TwinStep(now, duration, len(decodes), context, sizes, len(self.running), self.blocks.num_used)
        )
        self.check()
        self.finish_step(decodes, chunks, now + duration)
        return now + duration

    def plannable(self) -> list[TwinRequest]:
        """Who waits and was there when the step was planned: while the one before it began, if there was one.

        An engine that has nothing else to do does not wait for a plan.
        """
        if not self.options.is_asynchronous or self.last_step_at_s is None or not self.running:
            return self.waiting
        return [
            r for r in self.waiting if r.num_preemptions or self.reaches_queue_at(r) <= self.last_step_at_s
        ]

    def finish_step(
        self, decodes: list[TwinRequest], chunks: list[tuple[TwinRequest, int]], end: float
    ) -> None:
        sampled = list(decodes)
        for request in decodes:
            request.num_computed_tokens += 1
            request.num_target_tokens = request.num_computed_tokens
        for request, size in chunks:
            request.num_computed_tokens += size
            if request.is_decoding:
                sampled.append(request)
        for request in sampled:
            request.num_generated_tokens += 1
            if request.first_token_at_s is None:
                request.first_token_at_s = end
        for request in [r for r in self.running if r.num_generated_tokens == r.num_output_tokens]:
            self.running.remove(request)
            self.free(request)
            request.status, request.finished_at_s = RequestStatus.FINISHED, end

    # -- blocks ----------------------------------------------------------------------------------------

    def num_blocks_for(self, num_tokens: int) -> int:
        return -(-num_tokens // self.options.block_size)

    def free(self, request: TwinRequest) -> None:
        self.blocks.release(request.blocks)
        request.blocks = []

    def preempt_last(self) -> TwinRequest:
        request = self.running.pop()
        self.free(request)
        self.num_lost_tokens += request.num_computed_tokens
        request.num_computed_tokens = 0
        request.num_target_tokens = request.num_prompt_tokens + request.num_generated_tokens
        request.num_preemptions += 1
        self.waiting.insert(0, request)
        return request

    def make_room_for_decodes(self) -> bool:
        has_preempted = False
        while self.num_spare < 0:
            self.preempt_last()
            has_preempted = True
        return has_preempted

    @property
    def num_spare(self) -> int:
        """Free blocks, but for those that the decodes need in this step and take when all else is settled."""
        return self.blocks.num_free - sum(self.num_missing(r, 1) for r in self.running if r.is_decoding)

    def take_missing(self, request: TwinRequest, num_tokens: int) -> None:
        for _ in range(self.num_missing(request, num_tokens)):
            request.blocks.append(self.blocks.take())

    def num_missing(self, request: TwinRequest, num_tokens: int) -> int:
        return self.num_blocks_for(request.num_computed_tokens + num_tokens) - len(request.blocks)

    def num_reserved_tokens(self, request: TwinRequest, size: int) -> int:
        """Tokens, from the computed ones on, that a chunk takes blocks for."""
        is_chunkwise = self.options.scheduler == "chunked_prefill"
        return size if is_chunkwise else request.num_target_tokens - request.num_computed_tokens

    def num_hit_blocks(self, request: TwinRequest) -> int:
        limit = (request.num_prompt_tokens - 1) // self.options.block_size
        return self.blocks.num_cached(request.prefix, min(limit, self.num_prefix_blocks))

    @property
    def num_prefix_blocks(self) -> int:
        return self.options.num_prefix_tokens // self.options.block_size

    def take_chunks(
        self, planned: list[tuple[TwinRequest, int]], now: float
    ) -> list[tuple[TwinRequest, int]]:
        chunks: list[tuple[TwinRequest, int]] = []
        for request, _ in planned:
            if request in self.waiting:
                self.admit(request, now)  # all hits are held before a block is taken
        for request, size in planned:
            if request not in self.running:
                continue  # preempted for a chunk before
            num_tokens = self.num_reserved_tokens(request, size)
            while self.num_missing(request, num_tokens) > self.num_spare:
                if self.preempt_last() is request:
                    return chunks
            self.take_missing(request, num_tokens)
            self.remember_prefix(request, request.num_computed_tokens + size)
            chunks.append((request, size))
        return chunks

    def admit(self, request: TwinRequest, now: float) -> None:
        self.waiting.remove(request)
        self.running.append(request)
        request.blocks = self.blocks.share(request.prefix, self.num_hit_blocks(request))
        request.num_computed_tokens = len(request.blocks) * self.options.block_size
        if request.scheduled_at_s is None:
            request.scheduled_at_s = now
            request.num_cached_tokens = request.num_computed_tokens

    def remember_prefix(self, request: TwinRequest, num_tokens: int) -> None:
        if request.prefix < 0:
            return
        known = min(num_tokens, request.num_prompt_tokens) // self.options.block_size
        for index in range(min(known, self.num_prefix_blocks)):
            if not self.blocks.remember(request.prefix, index, request.blocks[index]):
                break

    # -- policies --------------------------------------------------------------------------------------

    def plan(self, waiting: list[TwinRequest]) -> tuple[bool, list[tuple[TwinRequest, int]]]:
        """Whether decodes take part, and the chunks, by the rules of the scheduler."""
        if self.options.scheduler != "prefill_first":
            num_decodes = sum(r.is_decoding for r in self.running)
            left = self.options.max_num_batched_tokens - num_decodes
            chunks = []
            for request in self.running:
                if not request.is_decoding and left > 0:
                    size = min(request.num_target_tokens - request.num_computed_tokens, left)
                    chunks.append((request, size))
                    left -= size
            return True, chunks + self.admissible(waiting, chunks, left)
        prompts = self.admissible(waiting, [], self.options.max_num_batched_tokens)
        return not prompts, prompts

    def admissible(
        self, waiting: list[TwinRequest], chunks: list[tuple[TwinRequest, int]], left: int
    ) -> list[tuple[TwinRequest, int]]:
        """The first waiting requests that may start, with their chunks."""
        options, is_whole = self.options, self.options.scheduler == "prefill_first"
        watermark = options.num_watermark_blocks if self.running else 0
        free = self.num_spare - sum(max(0, self.num_missing(r, n)) for r, n in chunks)
        admitted: list[tuple[TwinRequest, int]] = []
        hits: set[int] = set()  # free blocks that those admitted so far hit
        for request in waiting:
            hit = self.num_hit_blocks(request)
            rest = request.num_target_tokens - hit * options.block_size
            size = rest if is_whole else min(rest, left)
            is_too_long = is_whole and size > left and len(admitted) > 0
            if left <= 0 or len(self.running) + len(admitted) >= options.max_num_seqs or is_too_long:
                break
            last = hit * options.block_size + (size if options.scheduler == "chunked_prefill" else rest)
            own_hits = self.blocks.unused_hits(request.prefix, hit) - hits
            free -= self.num_blocks_for(last) - hit + len(own_hits)
            if free < watermark:
                break
            hits |= own_hits
            admitted.append((request, size))
            left -= size
        return admitted

    def check(self) -> None:
        """Nothing is lost, nothing is shared that is not a prefix, no limit is exceeded."""
        step, options = self.steps[-1], self.options
        self.blocks.check([r.blocks for r in self.running])
        assert all(not r.blocks for r in self.waiting + self.coming)
        assert len(self.running) <= options.max_num_seqs
        tokens = step.num_decodes + sum(size for size, _ in step.chunks)
        is_one_long_prompt = options.scheduler == "prefill_first" and len(step.chunks) == 1
        assert 0 < tokens <= options.max_num_batched_tokens or is_one_long_prompt
        for request in self.running:
            assert len(request.blocks) >= self.num_blocks_for(request.num_computed_tokens)
            assert request.num_generated_tokens < request.num_output_tokens
