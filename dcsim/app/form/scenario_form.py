"""The form of a whole scenario: its parts as tabs, the usual fields first, the rest a click away."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import streamlit as st

from dcsim.app.draft import Draft
from dcsim.app.form.fields import Field, scenario_fields, training_fields, workload_fields
from dcsim.app.form.first_values import own_values
from dcsim.app.form.named import add_row, remove_button
from dcsim.app.form.widgets import Form
from dcsim.app.words import Words

_USUAL = {
    "serving": ("model", "precision", "engine", "num_replicas", "parallelism", "slo", "traffic"),
    "training": (
        *("kind", "model", "software", "precision", "num_nodes", "num_accelerators", "parallelism", "batch"),
        *("recompute", "sharding", "optimizer", "tokens", "steps", "checkpoint"),
    ),
}
_RUN = ("name", "question", "duration", "warmup", "drain", "replications", "calibration_draws", "seed")
_MONEY = ("facility", "economics")
_PARTS = ("jobs", "reliability")  # each a tab of its own while it is there
Tab = tuple[str, Callable[[], None]]


def scenario_form(draft: Draft, words: Words, files: tuple[str, ...]) -> None:
    """The form; where the text is no YAML at all, a word on that."""
    document = draft.document()
    if document is None:
        st.info(words("form.mend_first"), icon=":material/edit_off:")
        return
    stores = _mapping(_mapping(document.get("cluster")).get("storage"))
    form = Form(draft, words, files, tuple(map(str, stores)))
    tabs = _tabs(form, document)
    for tab, (_, show) in zip(st.tabs([title for title, _ in tabs]), tabs, strict=True):
        with tab:
            show()


def _tabs(form: Form, document: Mapping[str, object]) -> list[Tab]:
    """Titles of the tabs, and what draws each."""
    words, known = form.words, {one.key: one for one in scenario_fields()}
    own = {"serving": workload_fields(), "training": training_fields()}

    def workload(key: str, name: str, values: object) -> Tab:
        title = words("form.workload" if key == "serving" else "form.training_job", name=name)
        return title, lambda: _workload(form, own[key], (key, name), values)

    found = [
        workload(key, str(name), values)
        for key in own
        for name, values in _mapping(document.get(key)).items()
    ]

    def part(key: str) -> Tab:
        return words(f"form.tab_{key}"), lambda: _optional(form, known[key], document)

    found += [part(key) for key in _PARTS if document.get(key) is not None]
    found.append((words("form.hardware"), lambda: _hardware(form, known["cluster"], document)))
    found.append((words("form.money"), lambda: _optionals(form, known, _MONEY, document)))
    found.append((words("form.run"), lambda: form.show([known[key] for key in _RUN], (), document)))
    found.append((words("form.add"), lambda: _add(form, known, document)))
    return found


def _workload(form: Form, fields: tuple[Field, ...], path: tuple[str, str], values: object) -> None:
    """A served model or a training job."""
    known, usual = {one.key: one for one in fields}, _USUAL[path[0]]
    form.show([known[key] for key in usual], path, values)
    with st.expander(form.words("form.more")):
        form.show([one for key, one in known.items() if key not in usual], path, values)
    remove_button(form, path)


def _hardware(form: Form, cluster: Field, document: Mapping[str, object]) -> None:
    """The nodes; the fabric and the stores that join them, while they are there."""
    known, values = {one.key: one for one in cluster.fields}, _mapping(document.get("cluster"))
    form.show([one for key, one in known.items() if key not in ("fabric", "storage")], ("cluster",), values)
    _optional(form, known["fabric"], values, ("cluster",))
    form.show([known["storage"]], ("cluster",), values)


def _add(form: Form, known: Mapping[str, Field], document: Mapping[str, object]) -> None:
    """What a scenario may have beside what it has."""
    st.caption(form.words("form.add_about"))
    for key in _USUAL:
        add_row(form, known[key], (key,), document.get(key))
    _optionals(form, known, _PARTS, document)


def _optionals(
    form: Form, known: Mapping[str, Field], keys: tuple[str, ...], document: Mapping[str, object]
) -> None:
    for key in keys:
        _optional(form, known[key], document, has_fields=key in _MONEY)


def _optional(
    form: Form,
    one: Field,
    values: Mapping[str, object],
    above: tuple[str, ...] = (),
    *,
    has_fields: bool = True,
) -> None:
    """A part that may be left out: a switch, and its fields while it is there."""
    path, is_there, version = (*above, one.key), values.get(one.key) is not None, form.draft.form_version
    key = f"{form.key(path)}:switch:{has_fields}"

    def switch() -> None:
        if form.draft.form_version != version or key not in st.session_state:
            return  # drawn before the text changed
        form.draft.put(path, own_values(one) if st.session_state[key] else None)
        form.draft.form_version += 1

    st.toggle(form.words(f"form.{one.key}"), is_there, key=key, help=form.help(one), on_change=switch)
    if is_there and has_fields:
        form.show(one.fields, path, values[one.key])


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}
