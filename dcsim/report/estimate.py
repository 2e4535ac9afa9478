"""The estimate of a scenario on a terminal: one table of means per workload, and one of the cluster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING

from dcsim.errors import Problem, ScenarioError
from dcsim.report.estimate_training import show_training_forecast, training_document
from dcsim.report.grids import show_grids, text_grid
from dcsim.report.numbers import BYTES, PER_SECOND, percent_text, quantity_text, scales_of
from dcsim.spec.scenario import Scenario
from dcsim.study.completion_estimate import estimate_completion
from dcsim.study.estimate import estimate
from dcsim.study.forecast import Forecast, ServingForecast
from dcsim.study.training_estimate import TrainingForecast, estimate_training

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_ABOUT = (
    "Means of the steady state in closed form, without a simulation (docs/estimate.md): "
    "dcsim run gives percentiles and intervals."
)
_ABOUT_TRAINING = (
    "Jobs without neighbours, in closed form (docs/training.md), failures by Daly's complete form: "
    "dcsim run simulates what comes in between."
)
_BESIDE_IDLE = "cluster, all but serving idle"
_LATENCY = {"ttft_s": "TTFT", "tpot_s": "TPOT", "e2e_s": "E2E"}
_LOAD = {
    "requests_per_s": "requests",
    "output_tokens_per_s": "output tokens",
    "prompt_tokens_per_s": "prompt tokens",
    "batch_size": "mean batch",
    "utilization_frac": "busy time",
    "kv_occupancy_frac": "KV cache in use",
}
_MEMORY = {
    "weight_bytes": "weights",
    "activation_bytes": "activations",
    "reserved_bytes": "engine's reserve",
    "kv_bytes": "KV cache",
    "capacity_bytes": "memory",
}
_POWER = {
    "it_w": "IT power",
    "facility_w": "facility power",
    "accelerator_w": "power per accelerator",
    "it_j_per_output_token": "IT energy per output token",
    "kg_per_million_output_tokens": "carbon per M output tokens",
}
_COST = {
    "usd_per_million_output_tokens": "per M output tokens",
    "usd_per_million_total_tokens": "per M tokens, prompts too",
    "usd_per_accelerator_hour": "per accelerator-hour",
    "usd_per_yr": "per year",
}


def show_estimate(console: Console, scenario: Scenario) -> None:
    """Print all that can be told of a scenario without a simulation. Raises ScenarioError if nothing can."""
    from rich.text import Text

    forecast, training = _forecasts(scenario)
    console.print(Text(scenario.name, style="bold"))
    if forecast is not None:
        has_other_work = bool(scenario.training or scenario.jobs)
        show_forecast(console, forecast, _BESIDE_IDLE if has_other_work else "cluster")
    completions = estimate_completion(scenario)
    for name, one in training.items():
        show_training_forecast(console, name, one, completions[name])
    if training:
        console.print(Text(_ABOUT_TRAINING, style="dim"))


def estimate_document(scenario: Scenario) -> dict[str, object]:
    """The same as plain values: what ``dcsim estimate --json`` prints."""
    forecast, training = _forecasts(scenario)
    found: dict[str, object] = {} if forecast is None else asdict(forecast)
    if training:
        ends = estimate_completion(scenario)
        found["training"] = {name: training_document(one, ends[name]) for name, one in training.items()}
    return found


def _forecasts(scenario: Scenario) -> tuple[Forecast | None, Mapping[str, TrainingForecast]]:
    if not (scenario.serving or scenario.training):
        remedy = "Use dcsim run: what jobs wait for has no closed form"
        raise ScenarioError(
            Problem("has neither serving nor training to estimate", file=scenario.name, remedy=remedy)
        )
    forecast = estimate(scenario) if scenario.serving else None
    return forecast, estimate_training(scenario)


def show_forecast(console: Console, forecast: Forecast, about_cluster: str) -> None:
    """Print the forecast of what is served, with a heading for what the cluster draws."""
    from rich.text import Text

    for name, one in forecast.serving.items():
        console.print(Text.assemble(f"{name}: ", _load_words(one)))
        show_grids(
            console,
            {
                "mean latency": _rows(one, _LATENCY),
                "throughput and use": _rows(one, _LOAD),
                "one accelerator": _rows(one.memory, _MEMORY),
            },
        )
        console.print()
    show_grids(console, {about_cluster: _rows(forecast, _POWER), "cost": _rows(forecast, _COST)})
    console.print()
    console.print(Text(_ABOUT, style="dim"))


def _load_words(one: ServingForecast) -> tuple[str, str]:
    """How loaded a workload is, and the colour of that."""
    capacity = f"{quantity_text(one.capacity_requests_per_s, PER_SECOND)}, set by {one.bound_by}"
    if one.load_frac is None:
        return f"requests that come at once; capacity {capacity}", "yellow"
    if one.is_overloaded:
        return f"OVERLOADED at {percent_text(one.load_frac)} of capacity ({capacity})", "red"
    return f"{percent_text(one.load_frac)} of capacity ({capacity})", "green"


def _rows(holder: object, labels: Mapping[str, str]) -> Table:
    return text_grid({label: _text(getattr(holder, name), name) for name, label in labels.items()})


def _text(value: float | None, name: str) -> str:
    return quantity_text(value, BYTES if name.endswith("_bytes") else scales_of(name))
