"""Why they differ: where the time of a request, the energy and the money of each run went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from dcsim import Comparison, Result
from dcsim.app.figures.comparison import parts_figure
from dcsim.app.parts import (
    cost_parts,
    energy_parts,
    joules_per_token,
    request_parts,
    training_parts,
    usd_per_million_tokens,
)
from dcsim.app.sentences import reasons
from dcsim.app.series import has_part
from dcsim.app.show import escaped, figure
from dcsim.app.words import Words

ORDER = 2
_LEAST_FRAC = 0.01  # parts smaller than this in every run are summed up
_GROUPS = ("mean", "p99_ttft", "p99_e2e")


def show(comparison: Comparison, results: Sequence[Result], words: Words) -> None:
    """Stacked bars, one for each run."""
    st.header(words("compare.why"), divider="gray", help=words("compare.why_help"))
    labels = comparison.labels
    names = [f"**{escaped(label)}**" for label in labels]
    said = list(reasons(comparison, results, names, words))
    st.markdown("\n".join(f"- {one}" for one in said) or words("compare.no_reasons"))
    is_served = all(has_part(result, "serving") for result in results)
    if is_served:
        _requests(labels, results, words)
    times = [training_parts(result, words) for result in results]
    _bars(labels, times, words("compare.why_training"), "s", "why-training", words)
    left, right = st.columns(2)
    with left:
        if is_served:
            energy = [joules_per_token(result, words) for result in results]
            _bars(labels, energy, words("figures.j_per_token"), "J", "why-energy", words)
        else:
            energy = [energy_parts(result, words) for result in results]
            _bars(labels, energy, words("figures.energy_of_run"), "kWh", "why-energy", words)
    with right:
        if is_served:
            money = [usd_per_million_tokens(result, words) for result in results]
            _bars(labels, money, words("figures.usd_per_million"), "USD", "why-cost", words)
        else:
            money = [cost_parts(result, words) for result in results]
            _bars(labels, money, words("figures.cost_of_run"), "USD", "why-cost", words)


def _requests(labels: Sequence[str], results: Sequence[Result], words: Words) -> None:
    """The time of a request, of a group of requests that is chosen."""
    group = st.segmented_control(
        words("explain.title"),
        _GROUPS,
        default="mean",
        required=True,
        format_func=lambda one: words(f"explain.{one}"),
        label_visibility="collapsed",
        key="why-group",
    )
    times = [request_parts(result, group or "mean", words) for result in results]
    _bars(labels, times, words("compare.why_time"), "s", "why-time", words)


def _bars(
    labels: Sequence[str], parts: Sequence[Mapping[str, float]], title: str, unit: str, key: str, words: Words
) -> None:
    if not any(parts):
        return
    st.markdown(f"**{title}**")
    order = [*dict.fromkeys(key for one in parts for key in one), words("causes.rest")]
    drawn = parts_figure(labels, _without_small(parts, words), unit, order)
    alt = "; ".join(
        f"{label}: " + ", ".join(f"{name} {size:.3g} {unit}" for name, size in one.items())
        for label, one in zip(labels, parts, strict=True)
    )
    figure(drawn, key, alt)


def _without_small(parts: Sequence[Mapping[str, float]], words: Words) -> list[dict[str, float]]:
    """The parts with those that matter nowhere summed up."""
    large = {key for one in parts for key, size in one.items() if size > _LEAST_FRAC * sum(one.values())}
    found = []
    for one in parts:
        kept = {key: size for key, size in one.items() if key in large}
        rest = sum(one.values()) - sum(kept.values())
        found.append(kept | ({words("causes.rest"): rest} if rest > 0 else {}))
    return found
