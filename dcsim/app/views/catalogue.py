"""Catalogue: search and compare accelerators, nodes, models and the rest, with the source of every value."""

from __future__ import annotations

import streamlit as st

import dcsim
from dcsim.app import session
from dcsim.app.catalogue_text import column_value, figure_label
from dcsim.app.show import MISSING, empty, escaped
from dcsim.app.words import Words

KEY, ORDER, ICON = "catalogue", 6, ":material/menu_book:"
_MOST = 6
_LONGEST = 200


def show() -> None:
    """The page."""
    words = session.words()
    st.title(words("catalogue.title"))
    st.markdown(words("catalogue.about"))
    kinds = list(dcsim.catalogue_kinds())
    kind = (
        st.segmented_control(
            words("catalogue.kind"),
            kinds,
            default=kinds[0],
            required=True,
            key="kind",
            format_func=lambda one: words.maybe(f"kinds.{one}", one),
        )
        or kinds[0]
    )
    wanted = st.text_input(
        words("catalogue.search"), key="search", placeholder=words("catalogue.search_hint")
    )
    found = [name for name in dcsim.entry_names(kind) if _matches(kind, name, wanted)]
    if not found:
        empty(words("catalogue.nothing", wanted=escaped(wanted)), ":material/search_off:")
        return
    chosen = _table(kind, found, words)
    if chosen:
        _compare(kind, chosen[:_MOST], words)
    else:
        st.caption(words("catalogue.pick"))


def _matches(kind: str, name: str, wanted: str) -> bool:
    title, source = dcsim.entry_title(kind, name)
    text = f"{name} {title} {source}".lower()
    return all(part in text for part in wanted.lower().split())


def _table(kind: str, names: list[str], words: Words) -> list[str]:
    """The entries with their key figures; the names of those that are ticked."""
    figures = {name: dcsim.key_figures(kind, name) for name in names}
    keys = list(dict.fromkeys(key for one in figures.values() for key in one))
    columns: dict[str, list[float | str | None]] = {
        words("catalogue.name"): list(names),
        words("catalogue.entry"): [dcsim.entry_title(kind, name)[0] for name in names],
    }
    for key in keys:
        columns[figure_label(key, words)] = [column_value(key, figures[name].get(key)) for name in names]
    estimates = [sum(one.is_estimate for one in dcsim.provenance(kind, name)) for name in names]
    columns[words("catalogue.estimates")] = [float(count) for count in estimates]
    picked = st.dataframe(
        columns,
        placeholder=MISSING,
        hide_index=True,
        on_select="rerun",
        selection_mode="multi-row",
        key=f"table-{kind}-{len(names)}",
    )
    rows = picked.selection.rows
    return [names[row] for row in rows if row < len(names)]


def _compare(kind: str, names: list[str], words: Words) -> None:
    """Every value of the ticked entries, one column each, and where it comes from."""
    values = {name: {one.path: one for one in dcsim.provenance(kind, name)} for name in names}
    paths = list(dict.fromkeys(path for one in values.values() for path in one))
    st.header(words("catalogue.compared"), divider="gray")
    columns = {words("provenance.path"): paths}
    for name in names:
        columns[name] = [_cell(values[name].get(path)) for path in paths]
    st.dataframe(columns, hide_index=True)
    st.header(words("catalogue.sources"), divider="gray")
    for name in names:
        with st.expander(f"{dcsim.entry_title(kind, name)[0]} ({name})", expanded=len(names) == 1):
            rows = list(values[name].values())
            st.dataframe(
                {
                    words("provenance.path"): [one.path for one in rows],
                    words("provenance.value"): [one.value_text[:_LONGEST] for one in rows],
                    words("provenance.basis"): [
                        words("basis.estimated") if one.is_estimate else words("basis.published")
                        for one in rows
                    ],
                    words("provenance.source"): [one.why or one.source for one in rows],
                },
                hide_index=True,
            )


def _cell(one: dcsim.SourcedValue | None) -> str:
    if one is None:
        return MISSING
    return f"{one.value_text[:_LONGEST]}{' (≈)' if one.is_estimate else ''}"
