"""Drives one engine, or its naive twin, through a list of arrivals and returns what both can be asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dcsim.policies.scheduler import Chunk, Scheduler
from dcsim.policies.schedulers.chunked_prefill import ChunkedPrefill
from dcsim.policies.schedulers.prefill_first import PrefillFirst
from dcsim.policies.schedulers.sarathi import Sarathi
from dcsim.sim.serving.engine import Engine
from dcsim.sim.serving.engine_options import EngineOptions
from dcsim.sim.serving.log import EngineLogs, PreemptionLog, RequestLog, StepLog
from dcsim.sim.serving.timer import PrefillWork
from dcsim.tables import Table
from tests.sim.twin import Arrival, Timer, Twin, TwinOptions

SCHEDULERS: dict[str, type[Scheduler]] = {
    "chunked_prefill": ChunkedPrefill,
    "sarathi": Sarathi,
    "prefill_first": PrefillFirst,
}
LONG_AFTER_S = 1e15
Instants = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Run:
    """How the requests fared; instants are NaN where nothing happened."""

    status: Counts
    scheduled_at_s: Instants
    first_token_at_s: Instants
    finished_at_s: Instants
    num_generated_tokens: Counts
    num_cached_tokens: Counts
    num_preemptions: Counts
    steps: Table
    preemptions: Table


class EngineTimer:
    """The engine's timer interface around a timer of the tests."""

    def __init__(self, timer: Timer) -> None:
        self._timer = timer

    def mixed_s(
        self, num_decodes: int, decode_context_tokens: int, work: PrefillWork, chunks: Sequence[Chunk]
    ) -> float:
        sizes = [(size, request.num_computed_tokens) for request, size in chunks]
        assert work.num_tokens == sum(size for size, _ in sizes)
        assert work.num_chunks == len(sizes)
        return self._timer.mixed_s(num_decodes, decode_context_tokens, sizes)

    def decode_piece(self, num_decodes: int, context_tokens: int) -> tuple[float, float, int]:
        return self._timer.decode_piece(num_decodes, context_tokens)


def request_log(arrivals: Sequence[Arrival]) -> RequestLog:
    """A log of requests that all go to replica 0."""
    log = RequestLog()
    columns = list(zip(*arrivals, strict=True)) or [[], [], [], []]
    counts = [np.array(column, dtype=np.int64) for column in columns[1:]]
    at = np.array(columns[0], dtype=np.float64)
    log.extend(at, counts[0], counts[1], counts[2], np.zeros(len(arrivals), dtype=np.int64))
    return log


def engine_options(options: TwinOptions, *, is_stepwise: bool = False) -> EngineOptions:
    return EngineOptions(
        scheduler=SCHEDULERS[options.scheduler](),
        max_num_seqs=options.max_num_seqs,
        max_num_batched_tokens=options.max_num_batched_tokens,
        num_blocks=options.num_blocks,
        is_asynchronous=options.is_asynchronous,
        admission_interval=options.admission_interval,
        admission_wait=options.admission_wait,
        block_size=options.block_size,
        num_watermark_blocks=options.num_watermark_blocks,
        num_prefix_blocks=options.num_prefix_tokens // options.block_size,
        max_model_len=options.max_model_len,
        max_queue=options.max_queue,
        request_timeout_s=options.timeout_s,
        request_overhead_s=options.overhead_s,
        is_stepwise=is_stepwise,
    )


def drive(
    options: TwinOptions, timer: Timer, arrivals: Sequence[Arrival], *, is_stepwise: bool = False
) -> Run:
    """Take an engine through all arrivals until nothing is left to do."""
    logs = EngineLogs(request_log(arrivals), StepLog(), PreemptionLog(), [len(arrivals)])
    engine = Engine(0, engine_options(options, is_stepwise=is_stepwise), EngineTimer(timer), logs)
    engine.submit(range(len(arrivals)))
    engine.advance(LONG_AFTER_S)
    requests = logs.requests.table(lambda engine: engine)
    return Run(
        **{
            name: np.array(requests[name])
            for name in Run.__dataclass_fields__
            if name not in ("steps", "preemptions")
        },
        steps=logs.steps.table(),
        preemptions=logs.preemptions.table(),
    )


def drive_twin(options: TwinOptions, timer: Timer, arrivals: Sequence[Arrival]) -> tuple[Run, Twin]:
    """Take the naive twin through all arrivals."""
    twin = Twin(options, timer, arrivals)
    requests = twin.run()

    def instants(name: str) -> Instants:
        return np.array([getattr(r, name) for r in requests], dtype=np.float64)

    def counts(name: str) -> Counts:
        return np.array([getattr(r, name) for r in requests], dtype=np.int64)

    return Run(
        counts("status"), instants("scheduled_at_s"), instants("first_token_at_s"), instants("finished_at_s"),
        counts("num_generated_tokens"), counts("num_cached_tokens"), counts("num_preemptions"),
        Table({}), Table({}),
    ), twin  # fmt: skip
