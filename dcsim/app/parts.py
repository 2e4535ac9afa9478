"""What makes up the time of a request, the energy and the money of a run."""

from __future__ import annotations

from collections.abc import Mapping

from dcsim import Result, SummaryView, explained_parts
from dcsim.app.words import Words

KWH_J = 3.6e6
_COST_PARTS = ("capital_usd", "maintenance_usd", "colocation_usd", "rental_usd", "electricity_usd")
_MILLION = 1e6


def energy_parts(result: Result, words: Words) -> dict[str, float]:
    """Energy of the window in kWh: accelerators, the rest of the nodes, cooling and distribution."""
    number = result.view.number
    accelerators, it = number("energy.accelerator_j") or 0.0, number("energy.it_j") or 0.0
    facility = number("energy.facility_j")
    parts = {"accelerators": accelerators, "hosts": it - accelerators}
    if facility is not None:
        parts["cooling"] = facility - it
    return {words(f"energy.{key}"): joules / KWH_J for key, joules in parts.items()}


def cost_parts(result: Result, words: Words) -> dict[str, float]:
    """Money for the window in USD, by what it is for; empty where nothing has a price."""
    found = {key: result.view.number(f"cost.{key}") for key in _COST_PARTS}
    return {words(f"energy.{key}"): usd for key, usd in found.items() if usd}


def request_parts(result: Result, group: str, words: Words) -> dict[str, float]:
    """The time of a request of the first workload in seconds, by cause; empty where none finished."""
    name = next(iter(result.serving))
    found = result.view.find(f"serving.{name}.explain.{group}")
    if not isinstance(found, SummaryView) or not found.number("total_s"):
        return {}
    return {words.maybe(f"causes.{key}", key): size for key, size in explained_parts(found).items()}


def joules_per_token(result: Result, words: Words) -> dict[str, float]:
    """The parts of the energy, in joules for each output token."""
    return _per_token(result, energy_parts(result, words), KWH_J)


def usd_per_million_tokens(result: Result, words: Words) -> dict[str, float]:
    """The parts of the money, in USD for a million output tokens."""
    return _per_token(result, cost_parts(result, words), _MILLION)


def _per_token(result: Result, parts: Mapping[str, float], factor: float) -> dict[str, float]:
    number = result.view.number
    per_token, whole = number("energy.it_j_per_output_token"), number("energy.it_j")
    if not per_token or not whole:
        return {}
    num_tokens = whole / per_token
    return {key: size * factor / num_tokens for key, size in parts.items()}
