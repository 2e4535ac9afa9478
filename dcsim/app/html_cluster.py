"""What a report to send holds of training, jobs, failures and the network: numbers and figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import plotly.graph_objects as go

from dcsim import Result, SummaryView
from dcsim.app.figures.counts import counts_figure
from dcsim.app.figures.gantt import holders_gantt, jobs_gantt, training_gantt
from dcsim.app.figures.goodput import goodput_figure
from dcsim.app.figures.jobs import times_figure
from dcsim.app.figures.over_time import areas_figure, lines_figure
from dcsim.app.parts import numbers
from dcsim.app.series import end_s, has_part, part_series, probabilities
from dcsim.app.words import Words

_OF_TRAINING = (
    *("step_time_s", "mfu_frac", "hfu_frac", "productive_frac", "tokens_per_s", "completion_s"),
    *("cost_usd", "usd_per_million_tokens", "it_j_per_token", "kg_per_million_tokens"),
)
_OF_JOBS = (
    *("num_submitted", "num_finished", "wait_s.mean", "wait_s.p50", "wait_s.p99", "completion_s.mean"),
    *("completion_s.p50", "slowdown.mean", "utilization_frac"),
)
_USE = ("num_used", "num_free", "num_away")


@dataclass(frozen=True, slots=True)
class Drawing:
    """A part of the report: what its table shows, by path in the summary, and its figures by title."""

    numbers: Mapping[str, object] = field(default_factory=dict)
    figures: Mapping[str, go.Figure] = field(default_factory=dict)
    counted_in: object = "tokens"  # or samples, of a training job


def cluster_drawings(result: Result, words: Words) -> Iterator[Drawing]:
    """The parts that the run has beside serving."""
    if has_part(result, "training"):
        for name in result.training:
            yield _training(result, name, words)
    if has_part(result, "jobs"):
        yield _jobs(result, words)
    nodes = part_series(result, "cluster").get("nodes")
    if nodes:
        yield Drawing(figures={words("gantt.holders"): holders_gantt(nodes, end_s(result), words)})
    if has_part(result, "failures"):
        yield _failures(result, words)
    layers = part_series(result, "fabric").get("timeline")
    if layers:
        lines = dict(zip(layers["layers"]["layer"], layers["layers"]["utilization_frac"], strict=True))
        title = f"{words('network.title')}: {words('network.of_capacity')}"
        yield Drawing(figures={title: lines_figure(layers, lines, "%", words, 100.0)})


def _training(result: Result, name: str, words: Words) -> Drawing:
    found, series = {}, part_series(result, "training").get(name, {})
    figures: dict[str, go.Figure] = {}
    for key in _OF_TRAINING:
        found[f"training.{name}.{key}"] = result.training.find(f"{name}.{key}")
    step = numbers(result.training.find(f"{name}.step_parts_s"))
    parts = {words(f"step_parts.{key}"): size for key, size in step.items()}
    figures[f"{name}: {words('training.step')}"] = counts_figure(parts, words("training.seconds"))
    waterfall = goodput_figure(series["waterfall"], words) if series else None
    if waterfall is not None:
        figures[f"{name}: {words('training.goodput')}"] = waterfall
        figures[f"{name}: {words('gantt.title')}"] = training_gantt(series["spans"], end_s(result), words)
    return Drawing(found, figures, result.training.find(f"{name}.counted_in"))


def _jobs(result: Result, words: Words) -> Drawing:
    found, series = {f"jobs.{key}": result.jobs.find(key) for key in _OF_JOBS}, part_series(result, "jobs")
    if not series:
        return Drawing(found)
    use = {words(f"jobs.{key}"): series["timeline"][key] for key in _USE}
    return Drawing(
        found,
        {
            words("jobs.pool"): areas_figure(series["timeline"], use, words("figures.accelerators"), words),
            words("jobs.times"): times_figure(series, probabilities(result), words),
            words("gantt.jobs"): jobs_gantt(series["sample"], end_s(result), words),
        },
    )


def _failures(result: Result, words: Words) -> Drawing:
    failures = result.view.get("failures")
    assert isinstance(failures, SummaryView)
    found = {
        f"failures.{key}": failures.find(key) for key in ("num_stops", "time_between_s", "num_nodes_away")
    }
    causes = numbers(failures.find("num_by_cause"))
    title = f"{words('failures.title')}: {words('failures.by_cause')}"
    return Drawing(found, {title: counts_figure(causes, words("failures.num_stops"))} if causes else {})
