"""What a workload's traffic offers on average: a rate or a number of clients, and a sample of lengths."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dcsim.errors import Problem, ScenarioError
from dcsim.sim.streams import Streams
from dcsim.spec.scenario import Scenario
from dcsim.spec.traffic import TraceSpec, Traffic
from dcsim.workloads.data_file import located
from dcsim.workloads.trace_format import Trace, TraceFormat, recognized_format

_NUM_SAMPLED = 8192
_MAX_TRACES = 8  # kept in memory


@dataclass(frozen=True, slots=True)
class OfferedTraffic:
    """Mean arrival rate or number of clients, and prompt and output tokens of sampled requests.

    Neither a rate nor clients: ``num_requests`` come at once. ``mean_tokens`` are the exact means of prompt
    and output, where they are known.
    """

    rate_per_s: float | None
    num_clients: int | None
    num_requests: int | None
    num_prompt_tokens: npt.NDArray[np.float64]
    num_output_tokens: npt.NDArray[np.float64]
    mean_tokens: tuple[float, float] | None


def offered_traffic(scenario: Scenario, name: str) -> OfferedTraffic:
    """The traffic of a workload from the end of the warm-up to the end of the duration.

    Raises ScenarioError for a bad trace.
    """
    traffic = scenario.serving[name].traffic
    if traffic.trace is not None:
        return _recorded(traffic.trace, traffic, scenario)
    arrivals, lengths = traffic.arrivals, traffic.lengths
    if arrivals is None or lengths is None:
        raise ScenarioError(Problem("traffic needs arrivals and lengths, or a trace"))
    ended_at_s = math.inf if scenario.duration_s is None else scenario.duration_s
    counts = [count for count in (traffic.num_requests, arrivals.default_num_requests) if count is not None]
    streams = Streams(seed=0, replication=0)  # of its own: an estimate is the same for every seed
    tokens = lengths.sample(streams["estimate.lengths"], _NUM_SAMPLED).astype(np.float64)
    return OfferedTraffic(
        arrivals.mean_rate_within(scenario.warmup_s, ended_at_s),
        arrivals.concurrency,
        min(counts, default=None),
        tokens[:, 0],
        tokens[:, 1],
        lengths.mean_tokens,
    )


def _recorded(spec: TraceSpec, traffic: Traffic, scenario: Scenario) -> OfferedTraffic:
    path = located(spec.path, scenario.folder)
    stat = path.stat()
    trace = _read(path, spec.format, stat.st_mtime_ns, stat.st_size)
    arrived_at_s = (trace.arrived_at_s / spec.rate_scale)[: traffic.num_requests]
    ended_at_s = float(arrived_at_s[-1])
    if scenario.duration_s is not None:
        ended_at_s = min(ended_at_s, scenario.duration_s)
    started_at_s = scenario.warmup_s if scenario.warmup_s < ended_at_s else 0.0
    span_s = ended_at_s - started_at_s
    first, beyond = np.searchsorted(arrived_at_s, [started_at_s, ended_at_s])
    rate_per_s = float(beyond - first) / span_s if span_s > 0 else None
    if first == beyond:  # nothing comes meanwhile, or all at once: the lengths are those of all
        first, beyond = 0, len(arrived_at_s)
    num_kept = min(int(beyond - first), _NUM_SAMPLED)
    kept = first + (np.arange(num_kept) * ((beyond - first) / num_kept)).astype(np.int64)
    prompts, outputs = trace.num_prompt_tokens, trace.num_output_tokens
    return OfferedTraffic(
        rate_per_s,
        None,
        len(arrived_at_s),
        prompts[kept].astype(np.float64),
        outputs[kept].astype(np.float64),
        (float(prompts[first:beyond].mean()), float(outputs[first:beyond].mean())),
    )


@lru_cache(maxsize=_MAX_TRACES)
def _read(path: Path, trace_format: TraceFormat | None, modified_at_ns: int, num_bytes: int) -> Trace:
    """The trace, read again only when the file has changed."""
    return (trace_format or recognized_format(path)).read(path)
