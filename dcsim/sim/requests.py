"""The requests of one replication: arrivals with lengths, or a trace, as arrays."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from dcsim.errors import Problem, ScenarioError
from dcsim.sim.streams import Streams
from dcsim.spec.traffic import SharedPrefix, TraceSpec, Traffic
from dcsim.workloads.arrival_process import ArrivalProcess
from dcsim.workloads.data_file import located
from dcsim.workloads.length_distribution import LengthDistribution
from dcsim.workloads.trace_format import Trace, recognized_format

MAX_REQUESTS = 100_000_000  # about 3 GB of arrays: more is a slip of the pen
NO_PREFIX = -1


class Lengths(NamedTuple):
    """Lengths and prefixes of successive requests."""

    num_prompt_tokens: npt.NDArray[np.int64]
    num_output_tokens: npt.NDArray[np.int64]
    prefix: npt.NDArray[np.int64]


class DrawnLengths:
    """The lengths of requests by number, drawn in chunks when first asked for."""

    _CHUNK_LENGTH = 4096

    def __init__(self, draw: Callable[[int], Lengths]) -> None:
        self._draw = draw
        self._chunks: list[Lengths] = []

    def of(self, request: int) -> tuple[tuple[int, int], int]:
        """Prompt and output tokens, and the prefix, of one request."""
        chunk, place = divmod(request, self._CHUNK_LENGTH)
        while len(self._chunks) <= chunk:
            self._chunks.append(self._draw(self._CHUNK_LENGTH))
        return _one(self._chunks[chunk], place)


@dataclass(frozen=True, slots=True)
class RequestStream:
    """Requests in order of arrival.

    ``prefix`` is the variant of the shared prefix, of ``num_prefix_tokens``; NO_PREFIX for none. In a closed
    loop ``concurrency`` is the number of clients, the arrays are empty, requests are looked up with
    ``lengths_for`` as they are sent, and there are at most ``max_requests`` of them if that is not None.
    """

    arrived_at_s: npt.NDArray[np.float64]
    num_prompt_tokens: npt.NDArray[np.int64]
    num_output_tokens: npt.NDArray[np.int64]
    prefix: npt.NDArray[np.int64]
    num_prefix_tokens: int
    concurrency: int | None = None
    max_requests: int | None = None
    drawn: DrawnLengths | None = None

    def lengths_for(self, request: int) -> tuple[tuple[int, int], int]:
        """Prompt and output tokens, and the prefix, of the request of that number, from 0."""
        if self.drawn is None:
            lengths = Lengths(self.num_prompt_tokens, self.num_output_tokens, self.prefix)
            return _one(lengths, request)
        return self.drawn.of(request)


def _one(lengths: Lengths, place: int) -> tuple[tuple[int, int], int]:
    prompt, output, prefix = (int(column[place]) for column in lengths)
    return (prompt, output), prefix


def generate(
    traffic: Traffic,
    folder: Path,
    duration_s: float | None,
    streams: Streams,
    name: str,
) -> RequestStream:
    """The requests of one replication, for the workload of that name.

    ``folder`` is where a relative trace path starts; ``duration_s`` None means until the trace, the stages or
    the number of requests end. Raises ScenarioError for a bad trace and for traffic without an end.
    """
    rng_lengths, rng_prefixes = streams[f"{name}.lengths"], streams[f"{name}.prefixes"]
    if traffic.trace is not None:
        trace = _recorded(traffic.trace, folder)
        return _replayed(traffic, trace, math.inf if duration_s is None else duration_s, rng_prefixes)
    if traffic.arrivals is None or traffic.lengths is None:
        raise ScenarioError(Problem("traffic needs arrivals and lengths, or a trace"))
    draw = partial(_draw, traffic.lengths, traffic.shared_prefix, rng_lengths, rng_prefixes)
    num_prefix_tokens = traffic.shared_prefix.num_tokens if traffic.shared_prefix else 0
    horizon_s, max_requests = _limits(traffic.arrivals, traffic.num_requests, duration_s)
    instants = traffic.arrivals.instants(streams[f"{name}.arrivals"], horizon_s, max_requests)
    concurrency = traffic.arrivals.concurrency
    if concurrency is None:
        return RequestStream(instants, *draw(len(instants)), num_prefix_tokens)
    return RequestStream(instants, *draw(0), num_prefix_tokens, concurrency, max_requests, DrawnLengths(draw))


def _draw(
    lengths: LengthDistribution,
    shared: SharedPrefix | None,
    rng_lengths: np.random.Generator,
    rng_prefixes: np.random.Generator,
    num_requests: int,
) -> Lengths:
    pairs = lengths.sample(rng_lengths, num_requests)
    prefix = _prefixes(shared, rng_prefixes, num_requests)
    return Lengths(np.ascontiguousarray(pairs[:, 0]), np.ascontiguousarray(pairs[:, 1]), prefix)


def _recorded(trace: TraceSpec, folder: Path) -> Trace:
    """The trace as recorded. Raises ScenarioError, naming the line, when the file is bad."""
    path = located(trace.path, folder)
    return (trace.format or recognized_format(path)).read(path)


def _replayed(
    traffic: Traffic, trace: Trace, duration_s: float, rng_prefixes: np.random.Generator
) -> RequestStream:
    assert traffic.trace is not None
    arrived_at_s = trace.arrived_at_s / traffic.trace.rate_scale
    num_in_time = int(np.searchsorted(arrived_at_s, duration_s, side="left"))
    kept = slice(min(num_in_time, traffic.num_requests or num_in_time))
    instants = arrived_at_s[kept]
    return RequestStream(
        instants,
        trace.num_prompt_tokens[kept],
        trace.num_output_tokens[kept],
        _prefixes(traffic.shared_prefix, rng_prefixes, len(instants)),
        traffic.shared_prefix.num_tokens if traffic.shared_prefix else 0,
    )


def _limits(
    arrivals: ArrivalProcess, num_requests: int | None, duration_s: float | None
) -> tuple[float, int | None]:
    """When arrivals end and after how many requests; ScenarioError if never, or after too many."""
    counts = [count for count in (num_requests, arrivals.default_num_requests) if count is not None]
    max_requests = min(counts, default=None)
    ends = [end for end in (duration_s, arrivals.default_duration_s) if end is not None]
    horizon_s = min(ends, default=math.inf)
    rate_per_s = arrivals.mean_rate_per_s
    is_burst = rate_per_s is None and arrivals.concurrency is None
    if max_requests is None and (is_burst or math.isinf(horizon_s)):
        remedy = (
            "Give num_requests" if is_burst else "Give the scenario a duration, or the traffic num_requests"
        )
        raise ScenarioError(Problem("the traffic has no end", remedy=remedy))
    expected = min(math.inf if rate_per_s is None else rate_per_s * horizon_s, max_requests or math.inf)
    if expected > MAX_REQUESTS and arrivals.concurrency is None:
        message = f"the traffic makes about {expected:.3g} requests, more than {MAX_REQUESTS:,}"
        raise ScenarioError(Problem(message, remedy="Shorten the duration or lower the rate"))
    return horizon_s, max_requests


def _prefixes(
    shared: SharedPrefix | None, rng: np.random.Generator, num_requests: int
) -> npt.NDArray[np.int64]:
    if shared is None:
        return np.full(num_requests, NO_PREFIX, dtype=np.int64)
    return (rng.random(num_requests) * shared.num_variants).astype(np.int64)
