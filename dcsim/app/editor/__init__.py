"""The editor of YAML text: line numbers, and a mark with the reason on each line that is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import streamlit as st

_FOLDER = Path(__file__).parent
_HTML = (
    '<div class="editor"><div class="gutter" aria-hidden="true"></div>'
    '<textarea spellcheck="false"></textarea></div>'
)


@st.cache_resource(show_spinner=False)
def _component() -> st.components.v2.ComponentRenderer:  # type: ignore[name-defined,unused-ignore]
    return st.components.v2.component(
        "dcsim_editor",
        html=_HTML,
        css=(_FOLDER / "editor.css").read_text(encoding="utf-8"),
        js=(_FOLDER / "editor.js").read_text(encoding="utf-8"),
    )


def yaml_editor(
    text: str, version: int, marks: Mapping[int, str], label: str, key: str, height_px: int = 540
) -> str:
    """Show the text for editing and return what it is now.

    Parameters
    ----------
    version
        The editor takes the text over anew when this changes; else it keeps what was typed.
    marks
        What is wrong, by line from 1.
    """
    data = {
        "text": text,
        "version": version,
        "marks": {str(line): why for line, why in marks.items()},
        "label": label,
        "height": height_px,
    }
    found = _component()(
        key=key, data=data, default={"edited": None}, on_edited_change=_ignore, height=height_px
    )
    edited = found.edited
    if isinstance(edited, Mapping) and edited.get("version") == version:
        return str(edited["text"])
    return text


def _ignore() -> None:
    """The page is drawn again, which is all that is wanted."""
