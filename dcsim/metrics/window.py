"""The measured window: from the end of the warm-up to the end of the traffic, cut into bins and batches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dcsim.metrics.columns import Array, floats
from dcsim.spec.scenario import Scenario
from dcsim.tables import RunTables, ServingTables
from dcsim.workloads.data_file import located
from dcsim.workloads.trace_format import recognized_format

NUM_BATCHES = 20
NUM_BINS = 6 * NUM_BATCHES  # bins of a timeline; each batch is a whole number of them


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of simulated time, with its end included."""

    started_at_s: float
    ended_at_s: float

    @property
    def duration_s(self) -> float:
        """Its length."""
        return self.ended_at_s - self.started_at_s

    def edges(self, num_bins: int = NUM_BINS) -> npt.NDArray[np.float64]:
        """The edges of its bins."""
        return np.linspace(self.started_at_s, self.ended_at_s, num_bins + 1)

    def share_within(self, started_at_s: Array, duration_s: Array) -> Array:
        """The share of each stretch of time that lies within the window; 0 for those that last no time."""
        low = np.maximum(started_at_s, self.started_at_s)
        high = np.minimum(started_at_s + duration_s, self.ended_at_s)
        inside_s = np.maximum(high - low, 0.0)
        share: Array = np.divide(inside_s, duration_s, out=np.zeros_like(inside_s), where=duration_s > 0)
        return share

    def bins(self, first: int, beyond: int) -> Window:
        """The part of the window from bin ``first`` up to, not including, bin ``beyond``."""
        edges = self.edges()
        return Window(float(edges[first]), float(edges[beyond]))


def measured_window(scenario: Scenario, name: str, tables: ServingTables) -> Window:
    """The window in which a workload is measured.

    It begins after the warm-up and ends with the scenario's duration or the last stage of the traffic,
    whichever comes first. Where the traffic ended before, with its trace or its number of requests, it ends
    with the last arrival: what follows is the drain, which no steady state has. Where that leaves
    nothing (all requests arrive at once) it ends when the last work does.
    """
    arrived_at_s = floats(tables.requests, "arrived_at_s")
    arrivals = scenario.serving[name].traffic.arrivals
    stages_s = arrivals.default_duration_s if arrivals is not None else None
    ends_at_s = [end_s for end_s in (scenario.duration_s, stages_s) if end_s is not None]
    if not ends_at_s or _ran_out(scenario, name, len(arrived_at_s)):
        ends_at_s.append(float(arrived_at_s[-1]) if len(arrived_at_s) else 0.0)
    ended_at_s = min(ends_at_s)
    if ended_at_s <= scenario.warmup_s:
        ended_at_s = max(_worked_until_s(tables), scenario.warmup_s)
    return Window(scenario.warmup_s, ended_at_s)


def _ran_out(scenario: Scenario, name: str, num_arrived: int) -> bool:
    """Whether all requests that the traffic has came, rather than being cut off by the duration."""
    traffic = scenario.serving[name].traffic
    limits = [traffic.num_requests]
    if traffic.arrivals is not None:
        limits.append(traffic.arrivals.default_num_requests)
    if traffic.trace is not None and scenario.duration_s is not None:
        path = located(traffic.trace.path, scenario.folder)
        recorded = (traffic.trace.format or recognized_format(path)).read(path)
        limits.append(len(recorded.arrived_at_s))
    return any(limit is not None and num_arrived >= limit for limit in limits)


def _worked_until_s(tables: ServingTables) -> float:
    """When the last step ended; when the simulation did, if there was none."""
    if len(tables.steps) == 0:
        return tables.ended_at_s
    return float((floats(tables.steps, "started_at_s") + floats(tables.steps, "duration_s")).max())


def joint_window(windows: list[Window]) -> Window:
    """The smallest window that holds all the given ones."""
    return Window(min(one.started_at_s for one in windows), max(one.ended_at_s for one in windows))


def cluster_window(scenario: Scenario, tables: RunTables, windows: list[Window]) -> Window:
    """The window in which the cluster is measured: the smallest that holds those of the serving workloads.

    Where more than serving is simulated, it also holds all from the warm-up to the scenario's duration, or
    to the end of the simulation.
    """
    if windows and not tables.cluster:
        return joint_window(windows)
    ended_at_s = tables.ended_at_s if scenario.duration_s is None else scenario.duration_s
    return joint_window([*windows, Window(scenario.warmup_s, max(ended_at_s, scenario.warmup_s))])
