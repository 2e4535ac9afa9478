"""The report on a terminal: verdict first, then the numbers, why they are so, and how far to trust them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from dcsim.report.explain import GROUPS, explain_table
from dcsim.report.grids import figure_grid, figure_text, show_grids
from dcsim.report.latency import has_missing_percentile, latency_table, observed_table
from dcsim.report.numbers import MISSING
from dcsim.report.text_cluster import show_cluster_work
from dcsim.report.text_pools import pool_grids, replicas_text
from dcsim.report.text_training import show_training
from dcsim.report.verdict import verdict_of
from dcsim.result import Result, SummaryView
from dcsim.spec.cluster import Cluster
from dcsim.spec.scenario import Scenario
from dcsim.spec.serving import Serving
from dcsim.units import duration_text

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_NO_STEADY_STATE = (
    "No steady state: latencies depend on how long the run was, and it has no percentiles to report."
)
_MISSING_PERCENTILE = f"{MISSING}: that percentile falls on requests that never finished"
_MAX_ESTIMATES = 6

_THROUGHPUT = {
    "offered_requests_per_s": "requests offered",
    "requests_per_s": "requests finished",
    "goodput_requests_per_s": "goodput (met the SLO)",
    "output_tokens_per_s": "output tokens",
    "prompt_tokens_per_s": "prompt tokens",
    "cached_prompt_tokens_frac": "prompt tokens from cache",
    "num_requests": "requests measured",
    "num_rejected": "rejected",
    "num_timed_out": "timed out",
    "num_unfinished": "unfinished",
    "num_preemptions": "preemptions",
}
_SHOWN_IF_ANY = (
    "cached_prompt_tokens_frac",
    "num_rejected",
    "num_timed_out",
    "num_unfinished",
    "num_preemptions",
)
_UTILIZATION = {
    "utilization_frac": "busy time",
    "mfu_frac": "MFU",
    "memory_bandwidth_frac": "memory bandwidth",
    "kv_occupancy_frac": "KV cache",
    "batch_size.mean": "mean batch",
    "num_waiting.mean": "mean queue",
}
_SHARE = {
    "usd_per_million_output_tokens": "per M output tokens",
    "cost_usd": "cost of the window",
    "it_j_per_output_token": "IT energy per output token",
    "it_j": "IT energy",
    "kg_per_million_output_tokens": "carbon per M output tokens",
    "carbon_kg": "carbon",
}
_ENERGY = {
    "energy.mean_it_w": "IT power",
    "energy.mean_accelerator_w": "power per accelerator",
    "energy.pue": "PUE",
    "energy.it_j": "IT energy",
    "energy.facility_j": "facility energy",
    "energy.it_j_per_output_token": "IT energy per output token",
    "carbon.total_kg": "carbon, with embodied",
    "carbon.kg_per_million_output_tokens": "carbon per M output tokens",
}
_COST = {
    "cost.usd_per_million_output_tokens": "per M output tokens",
    "cost.usd_per_million_total_tokens": "per M tokens, prompts too",
    "cost.usd_per_accelerator_hour": "per accelerator-hour",
    "cost.usd_per_yr": "per year",
    "cost.total_usd": "of the measured window",
    "cost.electricity_usd": "of it electricity",
}


def show_result(console: Console, result: Result, saved: Sequence[str] = ()) -> None:
    """Print the report of a result; ``saved`` are the places where something was written."""
    from rich.text import Text

    scenario = result.scenario
    console.print(Text(scenario.name, style="bold"))
    if scenario.question:
        console.print(Text(scenario.question, style="italic"))
    for name in scenario.serving:
        summary = result.serving[name]
        assert isinstance(summary, SummaryView)
        _show_workload(console, name, scenario, summary)
    training = result.view.get("training")
    if isinstance(training, SummaryView):
        show_training(console, scenario, training)
    show_cluster_work(console, result.view)
    _show_cluster(console, result.view)
    _show_trust(console, result.view)
    for place in saved:
        console.print(Text(f"saved: {place}"))


def _show_workload(console: Console, name: str, scenario: Scenario, summary: SummaryView) -> None:
    from rich.text import Text

    serving = scenario.serving[name]
    verdict = verdict_of(summary, serving.slo)
    console.print()
    console.print(Text.assemble(f"{name}: ", (verdict.words, verdict.style), f" - {verdict.reason}"))
    console.print(Text(_deployed(serving, scenario.cluster, summary), style="dim"))
    console.print()
    observed = summary.get("observed")
    if isinstance(observed, SummaryView):
        console.print(Text(_NO_STEADY_STATE, style="yellow"))
        console.print(observed_table(observed, serving.slo))
    else:
        console.print(latency_table(summary, serving.slo, console.width))
        if has_missing_percentile(summary):
            console.print(Text(_MISSING_PERCENTILE, style="dim"))
    console.print()
    hidden = [key for key in _SHOWN_IF_ANY if not summary.number(key)]
    throughput = {key: label for key, label in _THROUGHPUT.items() if key not in hidden}
    grids = {
        "throughput": figure_grid(summary, throughput),
        "utilisation": figure_grid(summary, _UTILIZATION),
    }
    if _has_share(summary):
        grids["its share, by accelerators held"] = figure_grid(summary, _SHARE)
    show_grids(console, grids)
    pools = pool_grids(summary)
    if pools:
        console.print()
        show_grids(console, pools)
    explain = summary.get("explain")
    groups = GROUPS[:1] if isinstance(observed, SummaryView) else GROUPS
    table = explain_table(explain, groups, console.width) if isinstance(explain, SummaryView) else None
    if table is not None:
        console.print()
        console.print(table)


def _deployed(serving: Serving, cluster: Cluster, summary: SummaryView) -> str:
    return (
        f"{serving.model.name} on {serving.engine.name}: {replicas_text(serving)} "
        f"on {_accelerators(cluster, summary)}; {_window(summary)}"
    )


def _accelerators(cluster: Cluster, summary: SummaryView) -> str:
    """How many accelerators the replicas take, and of how many where some are left."""
    num_all, shown = (
        cluster.num_nodes * cluster.node.num_accelerators,
        figure_text(summary, "num_accelerators"),
    )
    if (summary.number("num_accelerators") or num_all) < num_all:
        about = "" if _has_share(summary) else "; power and cost are those of the whole cluster"
        return f"{shown} of {num_all:,} accelerators{about}"
    return "1 accelerator" if shown == "1" else f"{shown} accelerators"


def _has_share(summary: SummaryView) -> bool:
    """Whether other work is on the cluster, so that serving has its own share of energy and cost."""
    return summary.number("it_j") is not None


def _window(summary: SummaryView) -> str:
    start, end = summary.number("window.started_at_s"), summary.number("window.ended_at_s")
    return f"measured from {duration_text(start or 0.0)} to {duration_text(end or 0.0)}"


def _show_cluster(console: Console, view: SummaryView) -> None:
    is_shared = view.number("energy.unheld_it_j") is not None
    of_all, energy, cost = "", dict(_ENERGY), dict(_COST)
    if is_shared:  # by all work, of which each has its share above
        of_all = " of the whole cluster"
        energy, cost = _without_tokens(energy), _without_tokens(cost)
        energy["energy.unheld_it_j"] = "IT energy held by no work"
        cost["cost.unheld_usd"] = "held by no work"
    grids: dict[str, Table] = {f"energy and carbon{of_all}": figure_grid(view, energy)}
    if view.number("cost.total_usd") is not None:
        kind = str(view.find("cost.kind")).replace("_", " ")
        grids[f"cost{of_all} ({kind})"] = figure_grid(view, cost)
    console.print()
    show_grids(console, grids)


def _without_tokens(figures: Mapping[str, str]) -> dict[str, str]:
    """The figures that are not per token: what all work draws is not what the tokens of one take."""
    return {name: label for name, label in figures.items() if "token" not in name}


def _show_trust(console: Console, view: SummaryView) -> None:
    """Print what the intervals mean, what the numbers rest on, and what is a guess."""
    from rich.padding import Padding
    from rich.text import Text

    console.print()
    console.print(Text(_about_intervals(view), style="dim"))
    for one in _items(view.find("prediction.notes")):
        console.print(Text(f"note: {one['text']}", style="yellow"))
    provenance = view.get("provenance")
    if not isinstance(provenance, SummaryView):
        return
    entries, estimates, notes = (_items(provenance.get(key)) for key in ("entries", "estimates", "notes"))
    kinds: dict[str, list[str]] = {}
    for one in entries:
        kinds.setdefault(str(one["kind"]), []).append(
            f"{one['name']}{' (varied)' if one['is_varied'] else ''}"
        )
    names = "; ".join(f"{kind}: {', '.join(names)}" for kind, names in kinds.items())
    num_values = sum(int(str(one["num_values"])) for one in entries)
    about = f"It rests on {num_values} values of the catalogue, {len(estimates)} of them estimates. {names}."
    console.print(Text(about, style="dim"))
    if estimates:
        console.print(Padding(_estimates_grid(estimates), (0, 0, 0, 2)))
    for one in notes:
        console.print(Text(f"note: {one['text']}", style="yellow"))


def _estimates_grid(estimates: Sequence[Mapping[str, object]]) -> Table:
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", max_width=44, overflow="fold")
    table.add_column(style="dim", overflow="fold")
    for one in estimates[:_MAX_ESTIMATES]:
        table.add_row(f"{one['entry']} {one['path']} = {one['value']}", str(one["why"]))
    if len(estimates) > _MAX_ESTIMATES:
        table.add_row(f"and {len(estimates) - _MAX_ESTIMATES} more", "dcsim catalog KIND NAME shows them all")
    return table


def _about_intervals(view: SummaryView) -> str:
    num_replications = figure_text(view, "num_replications")
    method = view.find("interval_method")
    if view.find("prediction.num_draws") is not None:
        return _about_predictions(view, num_replications, str(method))
    if method == "replications":
        return f"± is the 95 % confidence interval over {num_replications} replications."
    if method == "batch_means":
        about = "± is the 95 % confidence interval by batch means in one replication"
        if num_replications == "1":
            return f"{about}; --replications 5 is surer."
        return f"{about}: nothing in the scenario is random, so all {num_replications} are equal."
    if num_replications != "1":
        return f"Nothing in the scenario is random, so all {num_replications} replications are equal."
    if not view.get("serving"):
        return "One replication, so no intervals: use --replications 5 where anything is random."
    return "One replication, too short for intervals: use --replications 5."


def _about_predictions(view: SummaryView, num_replications: str, method: str) -> str:
    noise = {
        "replications": f"the {num_replications} replications",
        "batch_means": "the error of one replication by batch means",
    }.get(method)
    num_assumed = len(_items(view.find("prediction.assumptions")))
    by_work = {"serving": "each run on a short pilot", "training": "steps of training timed anew for each"}
    how = ", ".join(words for work, words in by_work.items() if view.get(work))
    return (
        "[low, high] is the 95 % prediction interval: what is not known of the calibration "
        f"({figure_text(view, 'prediction.num_draws')} draws of it, {how}; "
        f"{num_assumed} of the spreads {'is' if num_assumed == 1 else 'are'} assumed)"
        + (f" and {noise}." if noise else "; one replication, too short for an error of its own.")
    )


def _items(value: object) -> list[Mapping[str, object]]:
    items = value if isinstance(value, list) else []
    return [one if isinstance(one, Mapping) else {"text": one} for one in items]
