"""What to expect, in closed form: told at once, without simulating."""

from __future__ import annotations

import math

import streamlit as st

from dcsim import CompletionForecast, Forecast, ServingForecast, TrainingForecast
from dcsim.app.draft import Draft
from dcsim.app.quantities import SECONDS_PER_DAY
from dcsim.app.show import escaped, tile, value_text
from dcsim.app.words import Words

ORDER, PLACE = 0, "above"


def show(draft: Draft, words: Words) -> None:
    """A row of tiles for each workload and training job, and one for the cluster."""
    checked = draft.checked()
    with st.container(key="estimate"):
        st.subheader(words("estimate.title"), help=words("estimate.help"))
        if checked.forecast is None and not checked.training:
            is_of_jobs = checked.scenario is not None and checked.scenario.jobs is not None
            st.caption(words("estimate.run_it" if is_of_jobs and checked.can_run else "estimate.none"))
            return
        serving = checked.forecast.serving if checked.forecast is not None else {}
        num_named = len(serving) + len(checked.training)
        for name, one in serving.items():
            if num_named > 1:
                st.markdown(f"**{escaped(name)}**")
            _workload(one, words)
        if checked.forecast is not None:
            _cluster(checked.forecast, words)
        for name, job in checked.training.items():
            if num_named > 1:
                st.markdown(f"**{escaped(name)}**")
            _training(job, words)
            _completion(job, checked.completion[name], words)


def _workload(one: ServingForecast, words: Words) -> None:
    cells = st.columns(5)
    with cells[0]:
        note = words("estimate.of_capacity", capacity=value_text("x_per_s", one.capacity_requests_per_s))
        tile(words("estimate.load"), "load_frac", one.load_frac, note, words("estimate.load_help"))
    latencies = (("ttft_s", "TTFT"), ("tpot_s", "TPOT"), ("e2e_s", "E2E"))
    for cell, (key, label) in zip(cells[1:4], latencies, strict=True):
        with cell:
            tile(words("estimate.mean", name=label), key, getattr(one, key), words("estimate.mean_note"))
    with cells[4]:
        note = words("estimate.batch", size=f"{one.batch_size:.1f}") if one.batch_size is not None else ""
        tile(words("estimate.output"), "output_tokens_per_s", one.output_tokens_per_s, note)
    if one.is_overloaded:
        st.warning(
            words("estimate.overloaded", cause=words.maybe(f"bounds.{one.bound_by}", one.bound_by)),
            icon=":material/traffic:",
        )


def _cluster(forecast: Forecast, words: Words) -> None:
    cells = st.columns(5)
    shown = (
        ("usd_per_million_output_tokens", forecast.usd_per_million_output_tokens),
        ("usd_per_yr", forecast.usd_per_yr),
        ("facility_j_per_output_token", forecast.facility_j_per_output_token),
        ("facility_w", forecast.facility_w),
        ("kg_per_million_output_tokens", forecast.kg_per_million_output_tokens),
    )
    for cell, (key, value) in zip(cells, shown, strict=True):
        with cell:
            tile(
                words(f"estimate.{key}"),
                key,
                value,
                "" if value is not None else words("estimate.needs_section"),
            )


def _training(one: TrainingForecast, words: Words) -> None:
    """A job alone: nothing fails, and nobody else is there."""
    days_s = None if one.days is None else one.days * SECONDS_PER_DAY
    energy_j = one.it_j if one.facility_j is None else one.facility_j
    hfu = words("estimate.hfu", value=value_text("hfu_frac", one.hfu_frac))
    steps = "" if one.num_steps is None else words("estimate.steps", count=f"{one.num_steps:,.0f}")
    usd = value_text("usd_per_x", one.usd_per_million_tokens)
    per_million = words.counted("estimate.per_million", one.counted_in, value=usd)
    size = words("estimate.accelerators", count=f"{one.num_accelerators:,}")
    alone = words("training.alone", value=value_text("x_s", one.undisturbed_step_s))
    shown = (
        ("step_s", one.step_s, f"{size} · {alone}" if one.is_hindered else size),
        ("mfu_frac", one.mfu_frac, hfu),
        ("tokens_per_s", one.tokens_per_s, words("estimate.mean_note")),
        ("completion_s", days_s, steps or words("estimate.needs_length")),
        ("cost_usd", one.cost_usd, _why_missing(one.cost_usd, one, words, per_million)),
        ("energy_j", energy_j, _why_missing(energy_j, one, words, words("estimate.mean_note"))),
    )
    for row in (shown[:3], shown[3:]):
        for cell, (key, value, note) in zip(st.columns(len(row)), row, strict=True):
            with cell:
                label = words.counted(f"training.{key}", one.counted_in)
                tile(label, key, value, note, words.maybe(f"terms.{key}", ""))


def _completion(one: TrainingForecast, ended: CompletionForecast, words: Words) -> None:
    """The same job with its failures and checkpoints, where these take any time."""
    if not ended.is_disturbed:
        return
    failures = words("estimate.nothing_fails")
    if math.isfinite(ended.mttf_s):
        failures = words("estimate.fails_every", time=value_text("x_s", ended.mttf_s))
    length = "estimate.needs_length" if ended.completion_s is None else "estimate.with_failures"
    usd = value_text("usd_per_x", ended.usd_per_million_tokens)
    per_million = words.counted("estimate.per_million", one.counted_in, value=usd)
    shown = (
        ("productive_frac", ended.productive_frac, failures),
        (
            "completion_s",
            ended.completion_s,
            words(length),
        ),
        ("cost_usd", ended.cost_usd, _why_missing(ended.cost_usd, one, words, per_million)),
    )
    for cell, (key, value, note) in zip(st.columns(len(shown)), shown, strict=True):
        with cell:
            label = words(f"estimate.ended_{key}")
            tile(label, key, value, note, words.maybe(f"terms.{key}", ""))


def _why_missing(value: float | None, one: TrainingForecast, words: Words, otherwise: str) -> str:
    """A note below a number: what it needs, where it is not known."""
    if value is not None:
        return otherwise
    return words("estimate.needs_length" if one.num_steps is None else "estimate.needs_section")
