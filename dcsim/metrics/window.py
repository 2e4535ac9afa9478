"""The measured window: from the end of the warm-up to the last arrival, cut into bins and batches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dcsim.metrics.columns import floats
from dcsim.spec.scenario import Scenario
from dcsim.tables import ServingTables

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

    def edges(self) -> npt.NDArray[np.float64]:
        """The edges of its bins."""
        return np.linspace(self.started_at_s, self.ended_at_s, NUM_BINS + 1)

    def bins(self, first: int, beyond: int) -> Window:
        """The part of the window from bin ``first`` up to, not including, bin ``beyond``."""
        edges = self.edges()
        return Window(float(edges[first]), float(edges[beyond]))


def measured_window(scenario: Scenario, name: str, tables: ServingTables) -> Window:
    """The window in which a workload is measured.

    It begins after the warm-up and ends with the scenario's duration or the last stage of the traffic or,
    where a trace or a number of requests ends the traffic, with the last arrival: what follows is the drain,
    which no steady state has. Where that leaves nothing (all requests arrive at once) it ends when the last
    work does.
    """
    arrived_at_s = floats(tables.requests, "arrived_at_s")
    traffic = scenario.serving[name].traffic
    num_requests, stages_s = traffic.num_requests, None
    if traffic.arrivals is not None:
        num_requests = num_requests or traffic.arrivals.default_num_requests
        stages_s = traffic.arrivals.default_duration_s
    ends_at_s = [end_s for end_s in (scenario.duration_s, stages_s) if end_s is not None]
    if traffic.trace is not None or num_requests is not None or not ends_at_s:
        ends_at_s.append(float(arrived_at_s[-1]) if len(arrived_at_s) else 0.0)
    ended_at_s = min(ends_at_s)
    if ended_at_s <= scenario.warmup_s:
        ended_at_s = max(_worked_until_s(tables), scenario.warmup_s)
    return Window(scenario.warmup_s, ended_at_s)


def _worked_until_s(tables: ServingTables) -> float:
    """When the last step ended; when the simulation did, if there was none."""
    if len(tables.steps) == 0:
        return tables.ended_at_s
    return float((floats(tables.steps, "started_at_s") + floats(tables.steps, "duration_s")).max())


def joint_window(windows: list[Window]) -> Window:
    """The smallest window that holds all the given ones."""
    return Window(min(one.started_at_s for one in windows), max(one.ended_at_s for one in windows))
