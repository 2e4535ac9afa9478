"""Things that a scenario has by name - served models, training jobs, stores: one more, or one less."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import streamlit as st

from dcsim.app.form.fields import Field, alone_key
from dcsim.app.form.first_values import free_name, own_values, plain_name
from dcsim.app.show import escaped

if TYPE_CHECKING:
    from dcsim.app.form.widgets import Form

Path = tuple[str, ...]


def named_parts(form: Form, one: Field, path: Path, value: object) -> None:
    """The things with their fields, each in a frame, and a way to add one."""
    st.markdown(f"**{form.label(one)}**", help=form.help(one))
    (entry,) = one.fields
    for name, values in value.items() if isinstance(value, Mapping) else ():
        own = (*path, str(name))
        with st.container(border=True):
            title, remove = st.columns([4, 1.6], vertical_alignment="center")
            title.markdown(f"**{escaped(str(name))}**")
            with remove:
                remove_button(form, own)
            form.show(entry.fields, own, {alone_key(own): values} if isinstance(values, str) else values)
    add_row(form, one, path, value)


def remove_button(form: Form, path: Path) -> None:
    """A button that takes a thing out of the scenario; the last of them with the part that they stand in."""
    st.button(
        form.words("form.remove"),
        key=f"{form.key(path)}:remove",
        icon=":material/delete:",
        width="stretch",
        help=form.words("form.remove_help", name=path[-1]),
        on_click=_remove,
        args=(form, path),
    )


def add_row(form: Form, one: Field, path: Path, value: object) -> None:
    """A name to give, and a button that adds a thing of that name, with values to begin with."""
    key = f"{form.key(path)}:new"
    name, button = st.columns([3, 2], vertical_alignment="bottom")
    free = free_name(form.words(f"form.new_{one.key}"), value if isinstance(value, Mapping) else ())
    name.text_input(form.words(f"form.name_{one.key}"), free, key=key)
    button.button(
        form.words(f"form.add_{one.key}"),
        key=f"{key}:add",
        icon=":material/add:",
        width="stretch",
        on_click=_add,
        args=(form, one, path, key, free),
    )


def _remove(form: Form, path: Path) -> None:
    parent = _at(form.draft.document(), path[:-1])
    form.draft.put(path[:-1] if list(parent) == [path[-1]] else path, None)
    form.draft.form_version += 1


def _add(form: Form, one: Field, path: Path, key: str, otherwise: str) -> None:
    (entry,) = one.fields
    name = plain_name(str(st.session_state.get(key, ""))) or otherwise
    if name not in _at(form.draft.document(), path):
        form.draft.put((*path, name), own_values(entry))
        form.draft.form_version += 1


def _at(document: object, path: Path) -> Mapping[str, object]:
    """What stands at a path, if it is a mapping; nothing otherwise."""
    for key in path:
        document = document.get(key) if isinstance(document, Mapping) else None
    return document if isinstance(document, Mapping) else {}
