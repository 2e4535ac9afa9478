"""Scheduled jobs, failures, fabric and storage of a result on a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from dcsim.report.columns import columns_table
from dcsim.report.grids import figure_grid, figure_text, show_grids, text_grid
from dcsim.report.numbers import (
    MISSING,
    TIME,
    Scale,
    digits_text,
    fitting_scale,
    number_text,
    percent_text,
    quantity_text,
    scales_of,
)
from dcsim.result import Estimate, SummaryView
from dcsim.tables.jobs import JobReason

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_STATISTICS = ("mean", "p50", "p90", "p99", "max")
_SPREADS = {"wait_s": "wait", "completion_s": "completion (JCT)", "slowdown": "bounded slowdown"}
_MISSING_PERCENTILE = (
    f"{MISSING}: that percentile falls on jobs that did not finish; means and maxima are of those that did"
)
_JOBS = {
    "num_submitted": "submitted",
    "num_finished": "finished",
    "num_unfinished": "unfinished",
    "num_infeasible": "could never start",
    "num_abandoned": "given up",
    "num_preemptions": "preemptions",
    "num_failures": "hit by failures",
}
_ALWAYS = ("num_submitted", "num_finished")
_POOL = {
    "utilization_frac": "accelerators held",
    "accelerator_h": "accelerator-hours in the window",
    "num_running.mean": "jobs running, mean",
    "num_waiting.mean": "jobs waiting, mean",
    "fragmentation_frac": "free ones of no use (FGD)",
}
_QUEUES = {
    "num_submitted": "submitted",
    "num_finished": "finished",
    "wait_s": "mean wait",
    "accelerator_h": "accelerator-hours, in all",
    "num_preemptions": "preemptions",
}
_MAX_QUEUES = 12
_LENDING = {
    "node_h": "node-hours lent",
    "num_nodes.mean": "nodes lent, mean",
    "num_take_backs": "nodes taken back",
    "num_preempted": "jobs stopped by that",
}
_LENDER = {
    "num_replicas_on.mean": "replicas on, mean",
    "num_pauses": "replicas switched off",
    "finish_s": "time to finish, mean",
    "return_s": "time to come back, mean",
}
_FAILURES = {
    "num_stops": "failures that stop something",
    "time_between_s": "time between them",
    "num_nodes_away": "nodes out of service, mean",
}
_FABRIC = {
    "carried_bytes": "bytes over all links",
    "num_links_used": "links used",
    "mean_utilization_frac": "use of those, mean",
    "max_utilization_frac": "busiest link, mean",
    "peak_utilization_frac": "busiest link, peak",
    "num_transfers": "transfers",
    "mean_transfer_s": "mean transfer",
    "stalled_s": "transfers without a way",
}
_STORES = {
    "read_bytes": "read",
    "written_bytes": "written",
    "mean_bandwidth_frac": "mean use",
    "max_read_s": "longest read",
    "max_write_s": "longest write",
    "used_bytes": "stored, mean",
    "peak_used_bytes": "stored, peak",
}


def show_cluster_work(console: Console, view: SummaryView) -> None:
    """Print the sections that the summary has."""
    shows = {
        "jobs": _show_jobs,
        "lending": _show_lending,
        "failures": _show_failures,
        "fabric": _show_fabric,
        "storage": _show_storage,
    }
    for section, show in shows.items():
        found = view.get(section)
        if isinstance(found, SummaryView) and found:
            console.print()
            show(console, found)


def _show_jobs(console: Console, jobs: SummaryView) -> None:
    from rich.text import Text

    finished, submitted = figure_text(jobs, "num_finished"), figure_text(jobs, "num_submitted")
    held = jobs.get("utilization_frac")
    use = percent_text(held.value, held.half_width) if isinstance(held, Estimate) else "none"
    console.print(Text(f"jobs: {finished} of {submitted} finished; {use} of the accelerators held", "bold"))
    console.print()
    console.print(_spreads(jobs))
    if jobs.number("completion_s.mean") is not None and jobs.number("completion_s.p99") is None:
        console.print(Text(_MISSING_PERCENTILE, style="dim"))
    console.print()
    counts = {key: label for key, label in _JOBS.items() if key in _ALWAYS or jobs.number(key)}
    show_grids(
        console,
        {
            "jobs submitted in the window": figure_grid(jobs, counts),
            "the pool": figure_grid(jobs, _POOL),
        },
    )
    _show_queues(console, jobs)
    for name, count in _counts(jobs, "num_by_reason").items():
        console.print(Text(f"{count} could never start: {JobReason[name.upper()].text}", style="yellow"))


def _show_queues(console: Console, jobs: SummaryView) -> None:
    """A row for each queue, those whose jobs held the most first."""
    from rich.text import Text

    queues = jobs.get("by_queue")
    if not isinstance(queues, SummaryView):
        return
    ordered = sorted(queues, key=lambda name: -(queues.number(f"{name}.accelerator_h") or 0.0))
    rows: list[tuple[str, ...]] = [("queue", *_QUEUES.values())]
    for name in ordered[:_MAX_QUEUES]:
        one = queues[name]
        assert isinstance(one, SummaryView)
        rows.append((name, *(_plain_text(one, key) for key in _QUEUES)))
    console.print()
    console.print(columns_table(rows, "right"))
    if len(ordered) > _MAX_QUEUES:
        console.print(Text(f"and {len(ordered) - _MAX_QUEUES} queues more", style="dim"))


def _spreads(jobs: SummaryView) -> Table:
    """A row for waits, completion times and slowdowns, each on one scale."""
    rows: list[tuple[str, ...]] = [("", *_STATISTICS)]
    for key, label in _SPREADS.items():
        values = {name: jobs.number(f"{key}.{name}") for name in _STATISTICS}
        scale = _scale(values["mean"]) if key.endswith("_s") else Scale(0.0, 1.0, "")
        texts = (
            number_text(value, scale)
            if key.endswith("_s")
            else MISSING
            if value is None
            else digits_text(value)
            for value in values.values()
        )
        rows.append((f"{label}, {scale.unit}" if scale.unit else label, *texts))
    return columns_table(rows, "right")


def _scale(value: float | None) -> Scale:
    return fitting_scale(value or 0.0, TIME)


def _show_lending(console: Console, lending: SummaryView) -> None:
    lenders = lending["by_workload"]
    assert isinstance(lenders, SummaryView)
    grids = {name: lenders[name] for name in lenders}
    shown = {name: figure_grid(one, _LENDER) for name, one in grids.items() if isinstance(one, SummaryView)}
    show_grids(console, {"lent to jobs": figure_grid(lending, _LENDING), **shown})


def _show_failures(console: Console, failures: SummaryView) -> None:
    causes, effects = _counts(failures, "num_by_cause"), _counts(failures, "num_by_effect")
    show_grids(
        console,
        {
            "failures": figure_grid(failures, _FAILURES),
            "by cause": text_grid(causes),
            "by effect": text_grid({} if list(effects) == ["stop"] else effects),
        },
    )


def _counts(section: SummaryView, key: str) -> Mapping[str, str]:
    """Counts of a mapping as text, the most first."""
    inner = section.get(key)
    if not isinstance(inner, SummaryView):
        return {}
    found = {name: one for name, one in inner.items() if isinstance(one, Estimate) and one.value}
    return {
        name: digits_text(one.value, 0 if one.value == int(one.value) else 1)
        for name, one in sorted(found.items(), key=lambda item: -item[1].value)
    }


def _show_fabric(console: Console, fabric: SummaryView) -> None:
    shown = {key: label for key, label in _FABRIC.items() if key != "stalled_s" or fabric.number(key)}
    show_grids(console, {"fabric": figure_grid(fabric, shown)})


def _show_storage(console: Console, storage: SummaryView) -> None:
    rows: list[tuple[str, ...]] = [("storage", *_STORES.values())]
    for name in storage:
        store = storage[name]
        assert isinstance(store, SummaryView)
        rows.append((name, *(_plain_text(store, key) for key in _STORES)))
        cache = store.get("cache")
        if isinstance(cache, SummaryView):
            rows.append((f"{name}, cache", *(_plain_text(cache, key) for key in _STORES)))
    console.print(columns_table(rows, "right"))


def _plain_text(view: SummaryView, key: str) -> str:
    """A number with its unit, without its interval: for tables that have no room for it."""
    return quantity_text(view.number(key), scales_of(key))
