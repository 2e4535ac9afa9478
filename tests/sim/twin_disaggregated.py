"""A naive twin of disaggregated prefill: engines that step one by one on one list of events.

Written from docs/semantics.md, not from the engines, to be compared with them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import count

from dcsim.tables import RequestStatus
from tests.sim.twin import Arrival, Timer, Twin, TwinOptions, TwinRequest

NEVER = float("inf")
ORDER = count()


@dataclass(eq=False)
class Passage:
    """A request on its way from one engine to another."""

    source: PrefillTwin
    parked: TwinRequest  # as it was when its prompt was computed: it holds blocks there
    moved: TwinRequest  # as it goes on
    is_here: bool = False


class SteppingTwin(Twin):
    """A twin that is told when to begin a step and when to end it."""

    def __init__(self, options: TwinOptions, timer: Timer) -> None:
        super().__init__(options, timer, [])
        self.ends_at: float | None = None
        self.wakes_at = NEVER
        self.woken = 0
        self.begun: tuple[list[TwinRequest], list[tuple[TwinRequest, int]], float] | None = None

    def open(self, now: float) -> None:
        self.take_in(now)
        self.ends_at = self.step(now)
        self.count_step(self.ends_at)
        self.last_step_at_s = now if self.ends_at is not None else None
        deadlines = [self.deadline(r) for r in self.waiting if self.deadline(r) > now]
        self.wakes_at = min(deadlines, default=NEVER) if self.ends_at is None else NEVER

    def wake(self, now: float) -> None:
        """Look again now; of those woken at one instant the first goes first."""
        if self.wakes_at > now:
            self.wakes_at, self.woken = now, next(ORDER)

    def close(self, now: float) -> None:
        begun, self.begun, self.ends_at = self.begun, None, None
        assert begun is not None
        super().finish_step(*begun)
        self.open(now)

    def finish_step(
        self, decodes: list[TwinRequest], chunks: list[tuple[TwinRequest, int]], end: float
    ) -> None:
        self.begun = (decodes, chunks, end)

    def take_in(self, now: float) -> None:
        raise NotImplementedError

    def elsewhere(self) -> list[TwinRequest]:
        """Requests that hold blocks here but do not run here."""
        raise NotImplementedError

    def check(self) -> None:
        self.blocks.check([r.blocks for r in self.running + self.elsewhere()])
        assert len(self.running) <= self.options.max_num_seqs


class PrefillTwin(SteppingTwin):
    """Computes prompts and hands them over with their first token."""

    def __init__(self, options: TwinOptions, timer: Timer, room: int) -> None:
        super().__init__(options, timer)
        self.room = room  # blocks x tokens of an engine that decodes
        self.parked: list[TwinRequest] = []
        self.on_prefilled: Callable[[TwinRequest, float], None] | None = None

    def take_in(self, now: float) -> None:
        if self.looks(now):
            self.take_arrivals(now)

    def is_refused(self, request: TwinRequest) -> bool:
        total = request.num_prompt_tokens + request.num_output_tokens
        if total - 1 > self.room or self.num_blocks_for(request.num_prompt_tokens) > self.options.num_blocks:
            return True
        is_full = self.options.max_queue is not None and len(self.waiting) >= self.options.max_queue
        return total > self.options.max_model_len or is_full

    def close(self, now: float) -> None:
        begun, self.begun, self.ends_at = self.begun, None, None
        assert begun is not None
        Twin.finish_step(self, *begun)
        for request in [r for r in self.running if r.num_generated_tokens]:
            self.running.remove(request)
            self.parked.append(request)
            assert self.on_prefilled is not None
            self.on_prefilled(request, now)
        self.open(now)

    def release(self, request: TwinRequest, now: float) -> None:
        self.parked.remove(request)
        self.free(request)
        if self.ends_at is None and self.waiting:
            self.wake(now)

    def elsewhere(self) -> list[TwinRequest]:
        return self.parked


class DecodeTwin(SteppingTwin):
    """Goes on with requests whose KV caches it gets."""

    def __init__(self, options: TwinOptions, timer: Timer) -> None:
        super().__init__(options, timer)
        self.entries: list[tuple[float, Passage]] = []
        self.remote: dict[TwinRequest, Passage] = {}  # of those that wait
        self.receiving: list[TwinRequest] = []
        self.now = 0.0
        self.send: Callable[[Passage, DecodeTwin, float], None] | None = None

    def open(self, now: float) -> None:
        super().open(now)
        if self.ends_at is None and self.entries:
            self.wakes_at = now  # what came late for the next step does not wait if there is none

    def enter(self, passage: Passage, now: float) -> None:
        self.entries.append((now, passage))
        if self.ends_at is None:
            self.wake(now)

    def take_in(self, now: float) -> None:
        self.now = now
        planned_at = self.last_step_at_s if self.options.is_asynchronous and self.running else None
        while self.entries and (planned_at is None or self.entries[0][0] <= planned_at):
            passage = self.entries.pop(0)[1]
            if passage.is_here:
                self.join(passage.moved, now)
            else:
                self.waiting.append(passage.moved)
                self.remote[passage.moved] = passage

    def join(self, request: TwinRequest, now: float) -> None:
        self.receiving.remove(request)
        if self.deadline(request) <= now:
            self.free(request)
            request.status, request.finished_at_s = RequestStatus.TIMED_OUT, self.deadline(request)
        else:
            self.running.append(request)

    def expire(self, requests: list[TwinRequest], now: float) -> None:
        gone = [r for r in requests if self.deadline(r) <= now and r in self.remote]
        super().expire(requests, now)
        for request in gone:
            passage = self.remote.pop(request)
            passage.source.release(passage.parked, now)

    def plannable(self) -> list[TwinRequest]:
        """Sets aside what those that come from elsewhere need; returns those that were preempted."""
        while self.waiting and self.waiting[0] in self.remote:
            request, num_seqs = self.waiting[0], len(self.running) + len(self.receiving)
            num_blocks = self.num_blocks_for(request.num_prompt_tokens)
            watermark = self.options.num_watermark_blocks if num_seqs else 0
            if num_seqs >= self.options.max_num_seqs or self.num_spare - num_blocks < watermark:
                break
            self.waiting.pop(0)
            request.blocks = [self.blocks.take() for _ in range(num_blocks)]
            self.receiving.append(request)
            assert self.send is not None
            self.send(self.remote.pop(request), self, self.now)
        preempted = []
        for request in self.waiting:
            if request in self.remote:
                break
            preempted.append(request)
        return preempted

    def plan(self, waiting: list[TwinRequest]) -> tuple[bool, list[tuple[TwinRequest, int]]]:
        whole = self.options
        self.options = replace(whole, max_num_seqs=whole.max_num_seqs - len(self.receiving))
        planned = super().plan(waiting)
        self.options = whole
        return planned

    def elsewhere(self) -> list[TwinRequest]:
        return self.receiving


class DisaggregatedTwin:
    """Prefill and decode twins on one clock; requests go to each side's engines in turn."""

    def __init__(
        self,
        prefill: TwinOptions,
        decode: TwinOptions,
        timers: tuple[Timer, Timer],
        num_engines: tuple[int, int],
        transfer_s: Callable[[int, float], float],
    ) -> None:
        room = decode.num_blocks * decode.block_size
        self.sources = [PrefillTwin(prefill, timers[0], room) for _ in range(num_engines[0])]
        self.sinks = [DecodeTwin(decode, timers[1]) for _ in range(num_engines[1])]
        self.transfer_s = transfer_s
        self.arrivals: list[tuple[float, Passage, DecodeTwin]] = []  # KV caches on their way
        self.moved: dict[int, TwinRequest] = {}
        self.sent: list[tuple[int, float, float]] = []  # request, start, end
        for source in self.sources:
            source.on_prefilled = lambda request, now, at=source: self.choose(at, request, now)
        for sink in self.sinks:
            sink.send = self.begin

    def choose(self, source: PrefillTwin, request: TwinRequest, now: float) -> None:
        moved = TwinRequest(
            request.number, request.arrived_at_s, request.num_prompt_tokens, request.num_output_tokens, -1,
            num_target_tokens=request.num_prompt_tokens, num_computed_tokens=request.num_prompt_tokens,
            num_generated_tokens=1, first_token_at_s=request.first_token_at_s,
        )  # fmt: skip
        self.moved[request.number] = moved
        self.sinks[request.number % len(self.sinks)].enter(Passage(source, request, moved), now)

    def begin(self, passage: Passage, sink: DecodeTwin, now: float) -> None:
        end = now + self.transfer_s(passage.moved.num_prompt_tokens, now)
        self.arrivals.append((end, passage, sink))
        self.sent.append((passage.moved.number, now, end))

    def run(self, arrivals: Sequence[Arrival]) -> list[TwinRequest]:
        """All requests as they were where they were computed; ``moved`` holds how they went on."""
        requests = [TwinRequest(i, a[0], a[1], a[2], a[3], a[1]) for i, a in enumerate(arrivals)]
        for request in requests:
            source = self.sources[request.number % len(self.sources)]
            source.coming.append(request)
        now = 0.0
        while now < NEVER:
            self.happen(now)
            now = self.next_instant()
        return requests

    def happen(self, now: float) -> None:
        twins: list[SteppingTwin] = [*self.sinks, *self.sources]
        for twin in twins:
            if twin.ends_at == now:
                twin.close(now)
        for one in [one for one in self.arrivals if one[0] == now]:
            self.arrivals.remove(one)
            _, passage, sink = one
            passage.source.release(passage.parked, now)
            passage.is_here = True
            sink.enter(passage, now)
        idle = [twin for twin in twins if twin.ends_at is None and self.wakes_at(twin) <= now]
        for twin in sorted(idle, key=lambda twin: twin.woken):
            twin.wakes_at = NEVER
            twin.open(now)

    def next_instant(self) -> float:
        twins: list[SteppingTwin] = [*self.sinks, *self.sources]
        ends = [twin.ends_at if twin.ends_at is not None else self.wakes_at(twin) for twin in twins]
        return min([*ends, *(end for end, _, _ in self.arrivals)])

    def wakes_at(self, twin: SteppingTwin) -> float:
        coming = [twin.reaches_queue_at(request) for request in twin.coming[:1]]
        return min([twin.wakes_at, *coming])
