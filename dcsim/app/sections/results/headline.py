"""The verdict and the numbers that one looks for first, each with its interval."""

from __future__ import annotations

import streamlit as st

import dcsim
from dcsim import Estimate, Result, SummaryView, given_text, limits_of, scales_of, verdict_of
from dcsim.app.series import has_part
from dcsim.app.show import escaped, tile, value_text
from dcsim.app.words import Words

ORDER, TITLE = 0, ""  # sections without a title stand above the others, which are tabs
_SHARES = (
    ("usd_per_million_output_tokens", "cost_usd"),
    ("it_j_per_output_token", "it_j"),
    ("kg_per_million_output_tokens", "carbon_kg"),
)


def has_data(result: Result) -> bool:
    """Whether anything was served."""
    return has_part(result, "serving")


def show(result: Result, words: Words) -> None:
    """For each workload the verdict and its tiles."""
    for name in result.serving:
        summary = result.serving[name]
        if isinstance(summary, SummaryView):
            _verdict(name, result, summary, words)
            _tiles(result, name, summary, words)
            _shares(summary, words)


def _verdict(name: str, result: Result, summary: SummaryView, words: Words) -> None:
    slo = result.scenario.serving[name].slo
    verdict = verdict_of(summary, slo)
    code = verdict.code.removeprefix("saturated_")
    title = f"**{escaped(name)}: {words(f'verdicts.{code}')}**"
    if verdict.code.startswith("saturated_"):
        title = f"**{escaped(name)}: {words('verdicts.saturated')}, {words(f'verdicts.{code}')}**"
    box = {"meets": st.success, "misses": st.error, "unstable": st.error}.get(code, st.warning)
    icon = {"meets": ":material/check_circle:", "misses": ":material/cancel:"}.get(code, ":material/help:")
    box(f"{title} – {_reason(result, name, summary, verdict.reason, words)}", icon=icon)


def _reason(result: Result, name: str, summary: SummaryView, plain: str, words: Words) -> str:
    """Share of requests within the limits, and what was asked; for a run without steady state, why."""
    attainment, slo = summary.get("slo_attainment_frac"), result.scenario.serving[name].slo
    limits = limits_of(slo)
    if not isinstance(attainment, Estimate) or not limits or summary.find("stability.verdict") == "unstable":
        return escaped(plain)
    asked = ", ".join(
        f"{key[:-2].upper()} ≤ {given_text(limit, scales_of(key))}" for key, limit in limits.items()
    )
    chance = summary.number("slo_met_probability")
    says = words(
        "verdicts.share",
        share=value_text("x_frac", attainment.value),
        limits=asked,
        asked=given_text(slo.attainment_frac, scales_of("x_frac")),
    )
    return says if chance is None else f"{says} {words('verdicts.chance', chance=dcsim.chance_text(chance))}"


def _shares(summary: SummaryView, words: Words) -> None:
    """What the workload has of the cluster's bill, where other work is on the cluster."""
    if summary.number("it_j") is None:
        return
    for cell, (key, whole) in zip(st.columns(len(_SHARES)), _SHARES, strict=True):
        found = summary.find(key)
        with cell:
            one = found if isinstance(found, Estimate) else None
            in_all = words("training.in_all", value=value_text(whole, summary.number(whole)))
            note = in_all if one is not None else words("estimate.needs_section")
            tile(words(f"metrics.{key}"), key, one, note, words("terms.share"))


def _tiles(result: Result, name: str, summary: SummaryView, words: Words) -> None:
    is_unstable = summary.find("stability.verdict") == "unstable"
    limits = limits_of(result.scenario.serving[name].slo)
    shown = ("ttft_s.p99", "tpot_s.p99", "e2e_s.p99", "goodput_requests_per_s", "output_tokens_per_s")
    for cell, path in zip(st.columns(len(shown)), shown, strict=True):
        found = summary.find(path)
        key = path.split(".")[0]
        limit = limits.get(key)
        note = words("metrics.limit", limit=given_text(limit, scales_of(key))) if limit else ""
        if is_unstable and path.endswith(".p99"):
            note = words("metrics.withheld")
        with cell:
            label = words(f"metrics.{key}") + (" p99" if path.endswith("p99") else "")
            tile(
                label,
                key,
                found if isinstance(found, Estimate) else None,
                note,
                words.maybe(f"terms.{key}", ""),
            )
