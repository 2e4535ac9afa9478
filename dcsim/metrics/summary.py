"""The summary: replications in, the contract of ``summary.json`` out."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass, field

from dcsim.formulas.estimation import CONFIDENCE_FRAC
from dcsim.metrics.combine import (
    batch_intervals,
    mean_figures,
    replication_intervals,
    replication_values,
)
from dcsim.metrics.figures import Figures
from dcsim.metrics.latency import LATENCIES
from dcsim.metrics.replication import Replication, read_replication
from dcsim.metrics.stability import Stability, Verdict, worst
from dcsim.metrics.window import NUM_BATCHES
from dcsim.spec.deployments import resolve_all
from dcsim.spec.scenario import Scenario
from dcsim.tables import RunTables

SCHEMA = "dcsim/summary/1"
_FEWEST_PER_BATCH = 10  # requests: below that, batches are no sample of a steady state
_WITHHELD = (
    "the run has no steady state: its latencies depend on how long it ran, and are under 'observed' only"
)


@dataclass(frozen=True, slots=True)
class Summary:
    """The figures of a run, and under the same paths the half-widths of their 95 % intervals.

    ``prediction`` holds ``[low, high]`` under the same paths where the calibration was resampled too, and
    ``by_replication`` a list with one value per replication where there are several that differ.
    """

    values: Figures
    intervals: Figures
    prediction: Figures = field(default_factory=dict)
    by_replication: Figures = field(default_factory=dict)

    def document(self) -> Figures:
        """What ``summary.json`` holds of it."""
        beside: Figures = {"prediction": self.prediction, "by_replication": self.by_replication}
        present = {key: figures for key, figures in beside.items() if figures}
        return {"schema": SCHEMA, **self.values, "intervals": self.intervals, **present}


class Measuring:
    """The summary of a run in the making: replications go in one by one, and each is measured once."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._deployments = resolve_all(scenario)
        self._figures: list[Figures] = []
        self._stabilities: dict[str, list[Stability]] = {name: [] for name in scenario.serving}
        self._first: Replication | None = None

    def add(self, tables: RunTables) -> None:
        """Measure the next replication."""
        one = read_replication(self._scenario, self._deployments, tables)
        self._figures.append(one.figures())
        for name, workload in one.workloads.items():
            self._stabilities[name].append(workload.stability)
        self._first = self._first or one

    @property
    def first(self) -> Replication:
        """The first replication, of which there must be one."""
        assert self._first is not None
        return self._first

    @property
    def first_figures(self) -> Figures:
        """The figures of the first replication."""
        return self._figures[0]

    def summary(self) -> Summary:
        """The figures of the replications so far, of which there must be one, each the mean over them.

        Half-widths come from the replications; from one replication alone, or where all are equal because
        nothing in the scenario is random, by batch means over twenty time-ordered batches of its window
        (see ``interval_method``). The latencies of a run without a steady state are withheld.
        """
        assert self._first is not None
        figures = self._figures
        are_equal = all(one == figures[0] for one in figures)
        intervals = _of_batches(self._first) if are_equal else replication_intervals(figures)
        values = copy.deepcopy(figures[0]) if are_equal else mean_figures(figures)
        by_replication = {} if are_equal else replication_values(figures)
        for name, verdicts in self._stabilities.items():
            verdict = worst(verdicts)
            _judge(values, intervals, name, verdict)
            if verdict.verdict is Verdict.UNSTABLE:
                _withhold_samples(_within(by_replication, "serving", name))
        energy = values["energy"]
        if isinstance(energy, dict):
            energy["timeline"] = self._first.timeline()
        method = "none" if not intervals else "batch_means" if are_equal else "replications"
        head: Figures = {
            "num_replications": len(figures),
            "interval_method": method,
            "confidence_frac": CONFIDENCE_FRAC,
        }
        return Summary({**head, **values}, intervals, by_replication=by_replication)


def summarize(scenario: Scenario, replications: Iterable[RunTables]) -> Summary:
    """The summary of all replications of a run."""
    measuring = Measuring(scenario)
    for tables in replications:
        measuring.add(tables)
    return measuring.summary()


def _of_batches(one: Replication) -> Figures:
    """Half-widths by batch means; none where the batches hold too few requests."""
    num_requests = {name: one.num_requests_per_batch(name) for name in one.workloads}
    if not num_requests or min(num_requests.values()) < _FEWEST_PER_BATCH:
        return {}
    return batch_intervals([one.batch(index) for index in range(NUM_BATCHES)], num_requests)


def _judge(values: Figures, intervals: Figures, name: str, verdict: Stability) -> None:
    """Write the verdict, and withhold the latencies of a run without a steady state."""
    serving = _within(values, "serving", name)
    serving["stability"] = {"verdict": verdict.verdict.value, "reason": verdict.reason}
    if verdict.verdict is not Verdict.UNSTABLE:
        return
    serving["observed"] = {latency: serving[latency] for latency in LATENCIES}
    serving["note"] = _WITHHELD
    spread = _within(intervals, "serving", name)
    for latency in LATENCIES:
        serving[latency] = dict.fromkeys(_within(serving, latency))
        spread.pop(latency, None)


def _withhold_samples(serving: Figures) -> None:
    """Put None for the latencies of every replication: an unstable run has none to compare."""
    for latency in LATENCIES:
        for statistic, values in _within(serving, latency).items():
            assert isinstance(values, list)
            _within(serving, latency)[statistic] = [None for _ in values]


def _within(figures: Figures, *path: str) -> Figures:
    """The mapping at a path; an empty one, not attached, where there is none."""
    for key in path:
        inner = figures.get(key)
        if not isinstance(inner, dict):
            return {}
        figures = inner
    return figures
