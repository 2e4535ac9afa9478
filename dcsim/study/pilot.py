"""Pilots: short runs that stand for a long one, to read off what a change of the calibration does to it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydantic import Field, InstanceOf

from dcsim.metrics.columns import Mask, floats, integers
from dcsim.metrics.window import Window, joint_window, measured_window
from dcsim.sim.streams import Streams
from dcsim.spec.lending import lends
from dcsim.spec.pools import num_serving_nodes
from dcsim.spec.scenario import Scenario
from dcsim.spec.serving import Serving
from dcsim.spec.traffic import TraceSpec, Traffic
from dcsim.spec.training.deployment import resolve_training
from dcsim.spec.training.length import num_concurrent_trials
from dcsim.tables import RunTables, Table
from dcsim.workloads.arrivals.closed_loop import ClosedLoop
from dcsim.workloads.trace_format import Trace, TraceFormat

MAX_PILOT_REQUESTS = 2_000  # offered by all workloads together: some tenths of a second of work
_WARMUP_STAYS = 3.0  # mean times in the system until a pilot, which starts empty, is as full as the whole
_MAX_WARMUP_FRAC = 0.5
_SEGMENT_STAYS = 10.0  # shorter segments would be all transition from one to the next
_MAX_SEGMENTS = 8


class Excerpt(TraceFormat):
    """A trace in memory: the requests that a pilot replays."""

    recorded: InstanceOf[Trace] = Field(description="The requests.")

    def read(self, path: Path) -> Trace:
        """The requests; there is no file."""
        return self.recorded


def pilot_of(scenario: Scenario, tables: RunTables) -> Scenario:
    """A scenario of one replication that offers at most about 2,000 requests; the whole one if that is short.

    ``tables`` are those of the first replication. Its measured window is cut into up to eight segments, and
    the requests that arrived at the beginning of each are put one behind the other, so that all phases of
    the traffic count with the load and the bursts that they had; closed loops simply run for so long. The
    warm-up lasts three mean times in the system; a fleet so large that this would take more requests is cut
    down to some of its nodes, with their part of the traffic. Of a burst the first requests are taken. Loans
    of nodes are longer than such a pilot: in it all replicas are on, and nobody waits for their nodes.
    """
    if is_whole(tables):
        return _without_files(scenario, tables)
    scenario, num_requests = _without_loans(scenario), _num_requests(tables)
    window = joint_window([measured_window(scenario, name, one) for name, one in tables.items()])
    arrived_at_s = np.concatenate([floats(one.requests, "arrived_at_s") for one in tables.values()])
    if arrived_at_s.max() <= arrived_at_s.min() or window.duration_s <= 0.0:
        return _first_requests(scenario, tables, MAX_PILOT_REQUESTS / num_requests)
    is_inside = (arrived_at_s >= window.started_at_s) & (arrived_at_s < window.ended_at_s)
    num_inside, stay_s = max(int(np.count_nonzero(is_inside)), 1), _mean_stay_s(tables)
    fleet, part = _part_of_fleet(scenario, num_inside * stay_s / window.duration_s)
    duration_s = window.duration_s * min(MAX_PILOT_REQUESTS / (part * num_inside), 1.0)
    cut = _Cut(window, duration_s, _num_segments(duration_s, stay_s), part)
    serving = {
        name: one.model_copy(update={"traffic": cut.traffic(scenario, name, tables[name].requests)})
        for name, one in fleet.serving.items()
    }
    warmup_s = min(_WARMUP_STAYS * stay_s, _MAX_WARMUP_FRAC * duration_s)
    return fleet.model_copy(
        update={"duration_s": duration_s, "warmup_s": warmup_s, "serving": serving, "replications": 1}
    )


def is_whole(tables: RunTables) -> bool:
    """Whether the run is so short that it is its own pilot."""
    return _num_requests(tables) <= MAX_PILOT_REQUESTS


def _num_requests(tables: RunTables) -> int:
    return sum(len(one.requests) for one in tables.values())


def _without_loans(scenario: Scenario) -> Scenario:
    """The scenario without lending, and without jobs that have no other nodes; itself if nobody lends."""
    if not lends(scenario):
        return scenario
    serving = {name: one.model_copy(update={"lending": None}) for name, one in scenario.serving.items()}
    num_left = _num_nodes_for_jobs(scenario)
    training = {
        name: job
        for name, job in scenario.training.items()
        if job.scheduled is None or resolve_training(scenario, name).num_nodes <= num_left
    }
    has_source = scenario.jobs is not None and (scenario.jobs.trace or scenario.jobs.arrivals)
    has_jobs = num_left > 0 and (has_source or any(one.scheduled for one in training.values()))
    jobs = scenario.jobs if has_jobs else None
    return scenario.model_copy(update={"serving": serving, "training": training, "jobs": jobs})


def _num_nodes_for_jobs(scenario: Scenario) -> int:
    """Nodes left beside serving, training with nodes of its own, and spares."""
    own = [name for name, job in scenario.training.items() if job.scheduled is None]
    trained = (resolve_training(scenario, name) for name in own)
    num_trained = sum(one.num_nodes * num_concurrent_trials(one.job) for one in trained)
    num_spares = 0 if scenario.reliability is None else scenario.reliability.num_spares
    return scenario.cluster.num_nodes - num_serving_nodes(scenario) - num_trained - num_spares


@dataclass(frozen=True, slots=True)
class _Cut:
    """How the traffic of a pilot is cut out of a run's: from its window, so long, a part of the requests."""

    window: Window
    duration_s: float
    num_segments: int
    part: float

    def traffic(self, scenario: Scenario, name: str, requests: Table) -> Traffic:
        """The traffic of one workload, cut."""
        traffic = scenario.serving[name].traffic
        if traffic.arrivals is None or traffic.arrivals.concurrency is None:
            kept = Streams(scenario.seed, 0)[f"pilot.{name}"].random(len(requests)) < self.part
            return _replay(traffic, self._segments(requests, kept))
        if self.part == 1.0 or not isinstance(traffic.arrivals, ClosedLoop):
            return traffic
        num_clients = max(1, round(traffic.arrivals.num_clients * self.part))
        arrivals = traffic.arrivals.model_copy(update={"num_clients": num_clients})
        return traffic.model_copy(update={"arrivals": arrivals})

    def _segments(self, requests: Table, kept: Mask) -> Trace:
        """The requests of evenly spaced parts of the window, end to end."""
        arrived_at_s = floats(requests, "arrived_at_s")
        length_s = self.duration_s / self.num_segments
        parts = []
        for number in range(self.num_segments):
            start_s = self.window.started_at_s + number * self.window.duration_s / self.num_segments
            low, high = np.searchsorted(arrived_at_s, [start_s, start_s + length_s])
            chosen = low + np.flatnonzero(kept[low:high])
            parts.append(_trace(requests, chosen, start_s - number * length_s))
        return Trace(
            np.maximum.accumulate(np.concatenate([one.arrived_at_s for one in parts])),  # seams round
            np.concatenate([one.num_prompt_tokens for one in parts]),
            np.concatenate([one.num_output_tokens for one in parts]),
        )


def _num_segments(duration_s: float, stay_s: float) -> int:
    return int(np.clip(duration_s / (_SEGMENT_STAYS * stay_s), 1, _MAX_SEGMENTS)) if stay_s > 0 else 1


def _part_of_fleet(scenario: Scenario, num_in_system: float) -> tuple[Scenario, float]:
    """As many nodes as fill up within a pilot's warm-up, with their part of every workload's replicas.

    All of them where other work is on the cluster, which may need them.
    """
    if scenario.training or scenario.jobs is not None:
        return scenario, 1.0
    num_nodes = scenario.cluster.num_nodes
    most = MAX_PILOT_REQUESTS * _MAX_WARMUP_FRAC / _WARMUP_STAYS
    fewest = max(1, math.floor(num_nodes * most / max(num_in_system, most)))
    for fewer in range(fewest, num_nodes):
        pools = [pool for one in scenario.serving.values() for pool in one.pools]
        if any(one.num_replicas * fewer % num_nodes for one in pools):
            continue
        serving = {name: _fewer(one, fewer, num_nodes) for name, one in scenario.serving.items()}
        cluster = scenario.cluster.model_copy(update={"num_nodes": fewer})
        return scenario.model_copy(update={"cluster": cluster, "serving": serving}), fewer / num_nodes
    return scenario, 1.0


def _fewer(serving: Serving, num_kept: int, num_all: int) -> Serving:
    """The workload with that part of its replicas."""
    update: dict[str, object] = {"num_replicas": serving.num_replicas * num_kept // num_all}
    if serving.prefill is not None:
        num_replicas = serving.prefill.num_replicas * num_kept // num_all
        update["prefill"] = serving.prefill.model_copy(update={"num_replicas": num_replicas})
    return serving.model_copy(update=update)


def _without_files(scenario: Scenario, tables: RunTables) -> Scenario:
    """The scenario with its traces in memory: a file may be long, and each draw would read it again."""
    traced = {
        name: one.model_copy(update={"traffic": _replay(one.traffic, _trace(tables[name].requests))})
        for name, one in scenario.serving.items()
        if one.traffic.trace is not None
    }
    return scenario.model_copy(update={"serving": {**scenario.serving, **traced}}) if traced else scenario


def _first_requests(scenario: Scenario, tables: RunTables, share_frac: float) -> Scenario:
    serving = {}
    for name, one in scenario.serving.items():
        chosen = np.arange(max(1, round(share_frac * len(tables[name].requests))))
        traffic = _replay(one.traffic, _trace(tables[name].requests, chosen))
        serving[name] = one.model_copy(update={"traffic": traffic})
    return scenario.model_copy(update={"serving": serving, "replications": 1})


def _trace(
    requests: Table, chosen: slice | npt.NDArray[np.intp] = slice(None), origin_s: float = 0.0
) -> Trace:
    return Trace(
        np.maximum(floats(requests, "arrived_at_s")[chosen] - origin_s, 0.0),
        integers(requests, "num_prompt_tokens")[chosen],
        integers(requests, "num_output_tokens")[chosen],
    )


def _replay(traffic: Traffic, trace: Trace) -> Traffic:
    spec = TraceSpec.model_construct(path=".", format=Excerpt(recorded=trace), rate_scale=1.0)
    return traffic.model_copy(update={"trace": spec, "arrivals": None, "lengths": None, "num_requests": None})


def _mean_stay_s(tables: RunTables) -> float:
    """Mean time from arrival to the end, over the requests of all workloads that had one."""
    stays_s = np.concatenate(
        [
            floats(one.requests, "finished_at_s") - floats(one.requests, "arrived_at_s")
            for one in tables.values()
        ]
    )
    known = stays_s[~np.isnan(stays_s)]
    return float(known.mean()) if len(known) else 0.0
