"""Why they differ: where the time of a request, the energy and the money of each run went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from dcsim import Comparison, Result, SummaryView, explained_parts
from dcsim.app.figures.comparison import parts_figure
from dcsim.app.sections.results.energy_and_cost import cost_parts, energy_parts
from dcsim.app.show import figure
from dcsim.app.words import Words

ORDER = 2
_LEAST_FRAC = 0.01  # parts smaller than this in every run are summed up
_GROUPS = ("mean", "p99_ttft", "p99_e2e")


def show(comparison: Comparison, results: Sequence[Result], words: Words) -> None:
    """Stacked bars, one for each run."""
    st.header(words("compare.why"), divider="gray", help=words("compare.why_help"))
    labels = comparison.labels
    group = st.segmented_control(
        words("explain.title"),
        _GROUPS,
        default="mean",
        required=True,
        format_func=lambda one: words(f"explain.{one}"),
        label_visibility="collapsed",
        key="why-group",
    )
    times = [_request_parts(result, group or "mean", words) for result in results]
    _bars(labels, times, words("compare.why_time"), "s", "why-time", words)
    left, right = st.columns(2)
    with left:
        energy = [_per_token(result, energy_parts(result, words), 3.6e6) for result in results]
        _bars(labels, energy, words("figures.j_per_token"), "J", "why-energy", words)
    with right:
        money = [_per_token(result, cost_parts(result, words), 1e6) for result in results]
        _bars(labels, money, words("figures.usd_per_million"), "USD", "why-cost", words)


def _bars(
    labels: Sequence[str], parts: Sequence[Mapping[str, float]], title: str, unit: str, key: str, words: Words
) -> None:
    if not any(parts):
        return
    st.markdown(f"**{title}**")
    drawn = parts_figure(labels, _without_small(parts, words), unit)
    alt = "; ".join(
        f"{label}: " + ", ".join(f"{name} {size:.3g} {unit}" for name, size in one.items())
        for label, one in zip(labels, parts, strict=True)
    )
    figure(drawn, key, alt)


def _request_parts(result: Result, group: str, words: Words) -> dict[str, float]:
    """The parts of the time of a request, of the first workload."""
    name = next(iter(result.serving))
    found = result.view.find(f"serving.{name}.explain.{group}")
    if not isinstance(found, SummaryView) or not found.number("total_s"):
        return {}
    return {words.maybe(f"causes.{key}", key): size for key, size in explained_parts(found).items()}


def _per_token(result: Result, parts: Mapping[str, float], factor: float) -> dict[str, float]:
    """Parts of the window's total, for each output token (energy) or million of them (money)."""
    number = result.view.number
    per_token, whole = number("energy.it_j_per_output_token"), number("energy.it_j")
    if not per_token or not whole:
        return {}
    num_tokens = whole / per_token
    return {key: size * factor / num_tokens for key, size in parts.items()}


def _without_small(parts: Sequence[Mapping[str, float]], words: Words) -> list[dict[str, float]]:
    """The parts with those that matter nowhere summed up."""
    large = {key for one in parts for key, size in one.items() if size > _LEAST_FRAC * sum(one.values())}
    found = []
    for one in parts:
        kept = {key: size for key, size in one.items() if key in large}
        rest = sum(one.values()) - sum(kept.values())
        found.append(kept | ({words("causes.rest"): rest} if rest > 0 else {}))
    return found
