"""The estimate of a scenario on a terminal: one table of means per workload, and one of the cluster."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from dcsim.report.numbers import BYTES, MISSING, PER_SECOND, percent_text, quantity_text, scales_of
from dcsim.spec.scenario import Scenario
from dcsim.study.forecast import Forecast, ServingForecast

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_ABOUT = (
    "Means of the steady state in closed form, without a simulation (docs/estimate.md): "
    "dcsim run gives percentiles and intervals."
)
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


def show_forecast(console: Console, scenario: Scenario, forecast: Forecast) -> None:
    """Print a forecast."""
    from rich.text import Text

    console.print(Text(scenario.name, style="bold"))
    for name, one in forecast.serving.items():
        console.print(Text.assemble(f"{name}: ", _load_words(one)))
        console.print(
            _side_by_side(
                {
                    "mean latency": _rows(one, _LATENCY),
                    "throughput and use": _rows(one, _LOAD),
                    "one accelerator": _rows(one.memory, _MEMORY),
                }
            )
        )
        console.print()
    console.print(_side_by_side({"cluster": _rows(forecast, _POWER), "cost": _rows(forecast, _COST)}))
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
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    for name, label in labels.items():
        value: float | None = getattr(holder, name)
        text = quantity_text(value, BYTES if name.endswith("_bytes") else scales_of(name))
        if text != MISSING:
            table.add_row(label, text)
    return table


def _side_by_side(grids: Mapping[str, Table]) -> Table:
    from rich.table import Table

    shown = {title: grid for title, grid in grids.items() if grid.row_count}
    table = Table(box=None, pad_edge=False, padding=(0, 4, 0, 0), header_style="dim")
    for title in shown:
        table.add_column(title)
    table.add_row(*shown.values())
    return table
