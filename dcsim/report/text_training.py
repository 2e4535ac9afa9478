"""Training jobs of a result on a terminal: how far they came, where steps and time went, what it cost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from dcsim.report.grids import figure_grid, show_grids, text_grid
from dcsim.report.numbers import BYTES, TIME, percent_text, quantity_text
from dcsim.report.part_table import part_table
from dcsim.report.training_words import LOST_PARTS, PRODUCTIVE, STEP_PARTS, counted, memory_parts, named
from dcsim.result import Estimate, SummaryView
from dcsim.spec.scenario import Scenario
from dcsim.spec.training.job import TrainingJob
from dcsim.spec.training.length import num_concurrent_trials, num_trials
from dcsim.units import SECONDS_PER_HOUR, duration_text

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_MAX_CAUSES = 12
_STRETCHED_FRAC = 0.02  # of its time: from here on the verdict tells that steps were longer than alone
_FAILED = "failures came faster than checkpoints: no work was ever kept"
_SLOWED = "not one step was done: full or failed links, slow nodes or late samples all but stopped it"
_PACE = {
    "step_time_s": "step",
    "undisturbed_step_time_s": "step, undisturbed",
    "mfu_frac": "MFU of steps",
    "hfu_frac": "HFU, with recomputation",
    "productive_frac": "goodput (time in steps that count)",
    "effective_training_frac": "effective training time",
    "tokens_per_s": "tokens, over the whole time",
}
_WHOLE = {
    "completion_s": "completion",
    "num_steps": "steps that count",
    "num_failures": "failures",
    "num_planned_stops": "planned stops",
    "time_between_failures_s": "time between failures",
    "cost_usd": "cost",
    "usd_per_million_tokens": "cost per M tokens",
    "it_j": "IT energy",
    "it_j_per_token": "IT energy per token",
    "carbon_kg": "carbon",
}
_SHOWN_IF_ANY = ("num_failures", "num_planned_stops")


def show_training(console: Console, scenario: Scenario, training: SummaryView) -> None:
    """Print every training job."""
    for name, job in scenario.training.items():
        summary = training[name]
        assert isinstance(summary, SummaryView)
        _show_job(console, name, job, summary)


def _show_job(console: Console, name: str, job: TrainingJob, summary: SummaryView) -> None:
    from rich.text import Text

    words, style, reason = _verdict(job, summary)
    unit = _counted_in(summary)
    console.print()
    console.print(Text.assemble(f"{name}: ", (words, style), f" - {reason}"))
    console.print(Text(_trained(job, summary), style="dim"))
    console.print()
    hidden = {key for key in _SHOWN_IF_ANY if not summary.number(key)}
    if summary.number("hfu_frac") == summary.number("mfu_frac"):
        hidden.add("hfu_frac")
    shown = {key: label for key, label in _WHOLE.items() if key not in hidden}
    pace = {key: label for key, label in _PACE.items() if key not in hidden}
    show_grids(
        console,
        {
            "pace": figure_grid(summary, counted(pace, unit)),
            "the job": figure_grid(summary, counted(shown, unit)),
        },
    )
    console.print()
    steps = part_table(named(_numbers(summary, "step_parts_s"), STEP_PARTS), TIME)
    show_grids(console, {"where an undisturbed step goes": steps, "where the time goes": _waterfall(summary)})
    console.print()
    show_grids(
        console,
        {
            "memory of the fullest accelerator": _memory(summary),
            "accelerator-hours lost, by cause": _causes(summary),
        },
    )


def _counted_in(summary: SummaryView) -> str:
    """Tokens, or samples of a model without tokens."""
    return str(summary.get("counted_in") or "tokens")


def _verdict(job: TrainingJob, summary: SummaryView) -> tuple[str, str, str]:
    """Whether the job finished: words, their colour, and the share of its time that counts."""
    reason = _time_that_counts(job, summary)
    if summary.get("is_stalled") is True:
        return "STALLED", "bold red", _FAILED if summary.number("num_failures") else _SLOWED
    if summary.get("is_finished") is True:
        return "FINISHED", "bold green", reason
    if summary.get("is_finished") is None:
        return "BORDERLINE", "bold yellow", f"the replications disagree whether it finishes; {reason}"
    return "NOT FINISHED", "bold yellow", f"when the simulation ended; {reason}"


def _time_that_counts(job: TrainingJob, summary: SummaryView) -> str:
    """The share of the job's time in steps that count, and of that in effective training where it is less."""
    productive, effective = summary.get("productive_frac"), summary.get("effective_training_frac")
    if not isinstance(productive, Estimate):
        return "it never started"
    share = percent_text(productive.value, productive.half_width)
    trials = "" if job.sweep is None or job.sweep.trials == 1 else f" of {job.sweep.trials:,} trials"
    wall = duration_text(summary.number("wall_s") or 0.0)
    text = f"{share} of {wall}{trials} went into steps that count"
    if isinstance(effective, Estimate) and productive.value - effective.value > _STRETCHED_FRAC:
        less = percent_text(effective.value, effective.half_width)
        text += f", which undisturbed would take {less} (effective training time)"
    return text


def _trained(job: TrainingJob, summary: SummaryView) -> str:
    sizes = {"tensor": job.parallelism.tensor, "pipeline": job.parallelism.pipeline}
    sizes |= {"context": job.parallelism.context, "expert": job.parallelism.expert}
    spread = ", ".join(f"{word} {size}" for word, size in sizes.items() if size > 1)
    num_accelerators, num_nodes = summary.number("num_accelerators"), summary.number("num_nodes")
    tokens = summary.number("tokens_per_step")
    return (
        f"{job.kind} of {job.model.name} with {job.software.name}, {job.precision}: "
        f"{num_accelerators or 0:,.0f} accelerators{f' ({spread})' if spread else ''} on "
        f"{'1 node' if num_nodes == 1 else f'{num_nodes or 0:,.0f} nodes'}; "
        f"{tokens or 0:,.0f} {_counted_in(summary)} per step{_trials(job)}"
    )


def _trials(job: TrainingJob) -> str:
    """That all this is of one trial; nothing for a job that is no sweep."""
    if job.sweep is None:
        return ""
    return f"; all of each trial, {num_concurrent_trials(job):,} of {num_trials(job):,} at a time"


def _numbers(summary: SummaryView, key: str) -> dict[str, float]:
    """The numbers of a mapping in the summary."""
    inner = summary.get(key)
    if not isinstance(inner, SummaryView):
        return {}
    return {name: found.value for name, found in inner.items() if isinstance(found, Estimate)}


def _waterfall(summary: SummaryView) -> Table:
    """Useful steps first, then what the rest of the time went to."""
    parts = {PRODUCTIVE: summary.number("productive_s") or 0.0}
    lost = {name: size for name, size in _numbers(summary, "lost_s").items() if size > 0.0}
    return part_table({**parts, **named(lost, LOST_PARTS)}, TIME)


def _memory(summary: SummaryView) -> Table:
    terms, used_frac = _numbers(summary, "memory_bytes"), summary.number("memory_frac")
    capacity_bytes = sum(terms.values()) / used_frac if used_frac else 0.0
    return part_table(memory_parts(terms, capacity_bytes), BYTES)


def _causes(summary: SummaryView) -> Table:
    causes = _numbers(summary, "lost_accelerator_h")
    return hours_grid(causes)


def hours_grid(hours: Mapping[str, float]) -> Table:
    """Accelerator-hours by name, the most first."""
    ordered = sorted(hours.items(), key=lambda item: -item[1])
    texts = {name: f"{value:,.0f} h" if value >= 10 else f"{value:.2g} h" for name, value in ordered if value}
    rest = list(texts)[_MAX_CAUSES:]
    shown = {name: text for name, text in texts.items() if name not in rest}
    if rest:
        shown[f"{len(rest)} other causes"] = quantity_text(
            sum(hours[name] for name in rest) * SECONDS_PER_HOUR, TIME
        )
    return text_grid(shown)
