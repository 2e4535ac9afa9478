"""The editor of YAML text: line numbers, and a mark with the reason on each line that is wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
    text: str,
    version: str,
    marks: Mapping[int, str],
    label: str,
    on_edit: Callable[[str], None],
    key: str = "yaml",
    height_px: int = 540,
) -> None:
    """Show the text for editing.

    Parameters
    ----------
    version
        The editor takes the text over anew when this changes; else it keeps what was typed.
    marks
        What is wrong, by line from 1.
    on_edit
        Called with the new text before the page is drawn again, whichever page that is by then.
    """

    def pass_on() -> None:
        edited = st.session_state[key]["edited"]
        if isinstance(edited, Mapping) and edited.get("version") == version:
            on_edit(str(edited["text"]))

    data = {
        "text": text,
        "version": version,
        "marks": {str(line): why for line, why in marks.items()},
        "label": label,
        "height": height_px,
    }
    _component()(key=key, data=data, default={"edited": None}, on_edited_change=pass_on, height=height_px)
