"""Whether the model fits: one accelerator's memory as a stacked bar."""

from __future__ import annotations

import streamlit as st

import dcsim
from dcsim import DcsimError
from dcsim.app.draft import Draft
from dcsim.app.figures.shares import stacked_figure
from dcsim.app.show import escaped, figure
from dcsim.app.words import Words

ORDER, PLACE = 1, "beside"
_GIB = 2.0**30


def show(draft: Draft, words: Words) -> None:
    """A bar for each workload."""
    scenario = draft.checked().scenario
    if scenario is None:
        return
    st.subheader(words("memory.title"), help=words("memory.help"))
    for name, serving in scenario.serving.items():
        try:
            fit = dcsim.memory_fit(scenario, name)
        except DcsimError as error:
            st.caption(f"{escaped(name)}: {escaped(str(error))}")
            continue
        parts = {
            words("memory.weights"): fit.weight_bytes / _GIB,
            words("memory.activations"): fit.activation_bytes / _GIB,
            words("memory.reserved"): fit.reserved_bytes / _GIB,
            words("memory.kv"): max(fit.kv_bytes, 0.0) / _GIB,
        }
        taken = sum(parts.values())
        parts[words("memory.left")] = max(fit.capacity_bytes / _GIB - taken, 0.0)
        accelerator = scenario.cluster.installed_accelerator.title
        tokens = max(fit.kv_bytes, 0.0) / fit.kv_bytes_per_token if fit.kv_bytes_per_token else 0.0
        says = "memory.says" if fit.kv_bytes > 0 else "memory.says_not"
        st.markdown(
            words(
                says,
                name=escaped(name),
                model=escaped(serving.model.title),
                accelerator=accelerator,
                tokens=f"{tokens:,.0f}",
                missing=f"{-fit.kv_bytes / _GIB:.1f}",
            )
        )
        drawn = stacked_figure(
            parts, "GiB", capacity=fit.capacity_bytes / _GIB, capacity_label=words("memory.capacity")
        )
        alt = ", ".join(f"{label} {size:.1f} GiB" for label, size in parts.items())
        figure(drawn, f"memory-{name}", alt)
