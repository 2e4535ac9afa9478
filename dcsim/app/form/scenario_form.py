"""The form of a whole scenario: its parts as tabs, the usual fields first, the rest a click away."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from dcsim.app.draft import Draft
from dcsim.app.form.fields import Field, scenario_fields, workload_fields
from dcsim.app.form.widgets import Form, own_values
from dcsim.app.words import Words

_USUAL = ("model", "precision", "engine", "num_replicas", "parallelism", "slo")
_RUN = ("name", "question", "duration", "warmup", "drain", "replications", "calibration_draws", "seed")
_OPTIONAL = ("facility", "economics")


def scenario_form(draft: Draft, words: Words, files: tuple[str, ...]) -> None:
    """The form; where the text is no YAML at all, a word on that."""
    document = draft.document()
    if document is None:
        st.info(words("form.mend_first"), icon=":material/edit_off:")
        return
    form = Form(draft, words, files)
    known = {one.key: one for one in scenario_fields()}
    serving = document.get("serving")
    names = list(serving) if isinstance(serving, Mapping) else []
    titles = [
        *(words("form.workload", name=name) for name in names),
        words("form.hardware"),
        words("form.money"),
        words("form.run"),
    ]
    tabs = st.tabs(titles)
    for tab, name in zip(tabs, names, strict=False):
        with tab:
            _workload(form, name, serving[name] if isinstance(serving, Mapping) else {})
    hardware, money, run = tabs[len(names) :]
    with hardware:
        form.show(known["cluster"].fields, ("cluster",), document.get("cluster"))
    with money:
        for key in _OPTIONAL:
            _optional(form, known[key], document)
    with run:
        form.show([known[key] for key in _RUN if key in known], (), document)


def _workload(form: Form, name: str, values: object) -> None:
    path = ("serving", name)
    known = {one.key: one for one in workload_fields()}
    form.show([known[key] for key in _USUAL], path, values)
    form.show([known["traffic"]], path, values)
    rest = [one for key, one in known.items() if key not in (*_USUAL, "traffic")]
    with st.expander(form.words("form.more")):
        form.show(rest, path, values)


def _optional(form: Form, one: Field, document: Mapping[str, object]) -> None:
    """A section that may be left out: a switch, and its fields while it is there."""
    is_there = document.get(one.key) is not None
    key = f"form:{form.draft.token}:{form.draft.form_version}:{one.key}:switch"

    version = form.draft.form_version

    def switch() -> None:
        if form.draft.form_version != version or key not in st.session_state:
            return  # drawn before the text changed
        form.draft.put((one.key,), own_values(one) if st.session_state[key] else None)
        form.draft.form_version += 1

    st.toggle(form.words(f"form.{one.key}"), is_there, key=key, help=one.help, on_change=switch)
    if is_there:
        form.show(one.fields, (one.key,), document[one.key])
