"""Series: distributions, timelines and worst requests of a run, small enough to draw whatever its length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dcsim.metrics.cluster_work import ClusterWork
from dcsim.metrics.columns import Integers, integers
from dcsim.metrics.energy import power_timeline
from dcsim.metrics.figures import Figure, Figures
from dcsim.metrics.histogram import count_histogram, duration_histogram
from dcsim.metrics.itl import GapSketch
from dcsim.metrics.latency import latencies, pooled
from dcsim.metrics.request_view import view_requests
from dcsim.metrics.row_pass import RunRows, read_run_rows
from dcsim.metrics.run_bins import RunBins, run_bins
from dcsim.metrics.run_timeline import run_timeline
from dcsim.metrics.series.cluster import cluster_series
from dcsim.metrics.window import Window, cluster_window, measured_window
from dcsim.metrics.worst_requests import Measured, worst_requests
from dcsim.spec.deployment import ServingDeployment, resolve_deployment
from dcsim.spec.deployments import resolve_all
from dcsim.spec.scenario import Scenario
from dcsim.tables import RunTables, ServingTables

SCHEMA = "dcsim/series/1"
PROBABILITIES = (
    *(0.0, 0.01, 0.02, 0.05, 0.10, 0.15, 0.20, 0.25, 0.30, 0.35, 0.40, 0.45, 0.50, 0.55, 0.60, 0.65, 0.70),
    *(0.75, 0.80, 0.85, 0.90, 0.925, 0.95, 0.96, 0.97, 0.98, 0.99, 0.995, 0.999, 1.0),
)
_NUM_DIGITS = 10
_RANKED_BY = ("e2e_s", "ttft_s")
_LENGTHS = ("num_prompt_tokens", "num_output_tokens")


@dataclass(frozen=True, slots=True)
class _Workload:
    """One workload: its first replication, and the requests measured in all of them."""

    served: ServingDeployment
    tables: ServingTables
    window: Window
    measured: Sequence[Measured]


def run_series(scenario: Scenario, replications: Sequence[RunTables]) -> Figures:
    """The series of a run: what ``series.json`` holds.

    Requests are those measured in all replications; whatever is over time or read from steps is of the
    first replication. Numbers are rounded to ten digits.
    """
    windows = [
        {name: measured_window(scenario, name, one) for name, one in tables.items()}
        for tables in replications
    ]
    joint = [
        cluster_window(scenario, tables, list(within.values()))
        for tables, within in zip(replications, windows, strict=True)
    ]
    bins = run_bins(replications[0], joint[0])
    work = ClusterWork(scenario, resolve_all(scenario).training, replications[0].cluster)
    serving: Figures = {}
    sums = [work.sums(bins.edges_s())]
    for name in scenario.serving:
        tables, within = [one[name] for one in replications], [one[name] for one in windows]
        one = _workload(scenario, name, tables, within)
        rows = read_run_rows(one.served, one.tables, one.window, bins.edges_s())
        sums += rows.sums
        serving[name] = _serving(one, bins, rows)
    idle_w = scenario.cluster.installed_accelerator.idle_w
    power: Figures = {**power_timeline(scenario, idle_w, sums, bins.span, bins.num_bins)}
    return {
        "schema": SCHEMA,
        "num_replications": len(replications),
        "probabilities": list(PROBABILITIES),
        "serving": _rounded(serving),
        **_rounded_sections(cluster_series(work, replications, joint, bins, PROBABILITIES)),
        "power": _rounded(power),
    }


def _workload(
    scenario: Scenario, name: str, tables: Sequence[ServingTables], windows: Sequence[Window]
) -> _Workload:
    served, slo = resolve_deployment(scenario, name), scenario.serving[name].slo
    measured = [
        Measured(one.requests, view_requests(one.requests, window, served.request_overhead_s, slo))
        for one, window in zip(tables, windows, strict=True)
    ]
    return _Workload(served, tables[0], windows[0], measured)


def _serving(one: _Workload, bins: RunBins, rows: RunRows) -> Figures:
    window, measured = one.window, one.measured
    return {
        "window": {"started_at_s": window.started_at_s, "ended_at_s": window.ended_at_s},
        "latency": _latency_series(measured, rows.gaps),
        "lengths": {length: count_histogram(_column(measured, length)) for length in _LENGTHS},
        "worst": {latency: worst_requests(measured, latency) for latency in _RANKED_BY},
        "timeline": run_timeline(one.served, one.tables, bins, rows.sums),
        "replicas": rows.use.figures(one.tables.requests),
    }


def _column(measured: Sequence[Measured], name: str) -> Integers:
    """A column of the requests measured, of all replications."""
    return np.concatenate(
        [integers(one.requests, name)[one.view.first : one.view.first + len(one.view)] for one in measured]
    )


def _latency_series(measured: Sequence[Measured], gaps: GapSketch) -> Figures:
    by_replication = [latencies(one.view) for one in measured]
    found: Figures = {}
    for name in by_replication[0]:
        latency = pooled([one[name] for one in by_replication])
        found[name] = {
            "quantiles": [*latency.percentiles(PROBABILITIES)],
            "num_beyond": latency.num_beyond,
            "histogram": duration_histogram(latency.known_s),
        }
    return {**found, "itl_s": {"quantiles": [*gaps.percentiles(PROBABILITIES)]}}


def _rounded_sections(sections: Figures) -> Figures:
    return {name: _rounded(section) for name, section in sections.items()}


def _rounded(figure: Figure) -> Figure:
    """The figure with ten digits: enough to draw, and nothing is left of the rounding of sums."""
    if isinstance(figure, dict):
        return {name: _rounded(value) for name, value in figure.items()}
    if isinstance(figure, list):
        return [_rounded(value) for value in figure]
    return float(f"{figure:.{_NUM_DIGITS}g}") if isinstance(figure, float) else figure
