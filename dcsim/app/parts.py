"""What makes up the time of a request or of trained tokens, the energy and the money of a run."""

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
    name = first_of(result, "serving")
    found = result.view.find(f"serving.{name}.explain.{group}")
    if not isinstance(found, SummaryView) or not found.number("total_s"):
        return {}
    return {words.maybe(f"causes.{key}", key): size for key, size in explained_parts(found).items()}


def first_of(result: Result, part: str) -> str:
    """The first workload or training job by name; empty where there is none."""
    named = result.view.find(part)
    return next(iter(named), "") if isinstance(named, SummaryView) else ""


def training_parts(result: Result, words: Words) -> dict[str, float]:
    """The time that the first training job takes for a million tokens in seconds, by cause.

    An undisturbed step by cause, and what the job lost; they add up to its time over its tokens.
    """
    job = result.view.find(f"training.{first_of(result, 'training')}")
    if not isinstance(job, SummaryView):
        return {}
    num_steps, per_step = job.number("num_steps") or 0.0, job.number("tokens_per_step") or 0.0
    if not num_steps * per_step:
        return {}
    step, lost = numbers(job.find("step_parts_s")), numbers(job.find("lost_s"))
    parts = {words(f"step_parts.{key}"): size * _MILLION / per_step for key, size in step.items()}
    for key, size in lost.items():
        label = words.maybe(f"goodput.{key}", key)
        parts[label] = parts.get(label, 0.0) + size * _MILLION / (num_steps * per_step)
    return {label: size for label, size in parts.items() if size}


def numbers(found: object) -> dict[str, float]:
    """The numbers of a mapping of the summary, by name."""
    if not isinstance(found, SummaryView):
        return {}
    return {key: number for key in found if (number := found.number(key)) is not None}


def joules_of_run(result: Result, words: Words) -> dict[str, float]:
    """The parts of the energy in joules."""
    return {label: size * KWH_J for label, size in energy_parts(result, words).items()}


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
