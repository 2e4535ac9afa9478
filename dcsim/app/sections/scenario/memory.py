"""Whether the model fits: one accelerator's memory as a stacked bar."""

from __future__ import annotations

import streamlit as st

import dcsim
from dcsim import DcsimError, RankMemory, Scenario
from dcsim.app.draft import Draft
from dcsim.app.figures.shares import stacked_figure
from dcsim.app.show import escaped, figure, percent_text
from dcsim.app.words import Words

ORDER, PLACE = 1, "beside"
_GIB = 2.0**30
_LEAST_BYTES = 2.0**20  # smaller terms are not drawn


def show(draft: Draft, words: Words) -> None:
    """A bar for each workload and each training job."""
    scenario = draft.checked().scenario
    if scenario is None:
        return
    if not scenario.serving and not draft.checked().training:
        return
    st.subheader(words("memory.title"), help=words("memory.help"))
    for name in scenario.serving:
        _serving(scenario, name, words)
    for name, forecast in draft.checked().training.items():
        _training(scenario, name, forecast.memory, words)


def _serving(scenario: Scenario, name: str, words: Words) -> None:
    try:
        fit = dcsim.memory_fit(scenario, name)
    except DcsimError as error:
        st.caption(f"{escaped(name)}: {escaped(str(error))}")
        return
    parts = {
        words("memory.weights"): fit.weight_bytes / _GIB,
        words("memory.activations"): fit.activation_bytes / _GIB,
        words("memory.reserved"): fit.reserved_bytes / _GIB,
        words("memory.kv"): max(fit.kv_bytes, 0.0) / _GIB,
    }
    tokens = max(fit.kv_bytes, 0.0) / fit.kv_bytes_per_token if fit.kv_bytes_per_token else 0.0
    says = words(
        "memory.says" if fit.kv_bytes > 0 else "memory.says_not",
        name=escaped(name),
        model=escaped(scenario.serving[name].model.title),
        accelerator=scenario.cluster.installed_accelerator.title,
        tokens=f"{tokens:,.0f}",
        missing=f"{-fit.kv_bytes / _GIB:.1f}",
    )
    _bar(name, says, parts, fit.capacity_bytes / _GIB, words)


def _training(scenario: Scenario, name: str, memory: RankMemory, words: Words) -> None:
    """The fullest rank of a training job."""
    parts = {
        words.maybe(f"memory.{term}_training", words(f"memory.{term}")): size / _GIB
        for term, size in memory.terms().items()
        if size >= _LEAST_BYTES
    }
    says = words(
        "memory.says_training",
        name=escaped(name),
        model=escaped(scenario.training[name].model.title),
        accelerator=scenario.cluster.installed_accelerator.title,
        share=percent_text(memory.total_bytes / memory.capacity_bytes),
        left=f"{(memory.capacity_bytes - memory.total_bytes) / _GIB:.1f}",
    )
    _bar(name, says, parts, memory.capacity_bytes / _GIB, words)


def _bar(name: str, says: str, parts: dict[str, float], capacity: float, words: Words) -> None:
    """The sentence and the bar, what is left included."""
    st.markdown(says)
    whole = {**parts, words("memory.left"): max(capacity - sum(parts.values()), 0.0)}
    drawn = stacked_figure(whole, "GiB", capacity=capacity, capacity_label=words("memory.capacity"))
    figure(drawn, f"memory-{name}", ", ".join(f"{label} {size:.1f} GiB" for label, size in whole.items()))
