"""Pages under AppTest: one page by its key in a session of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("streamlit", reason="the extra dashboard is not installed")
from streamlit.testing.v1 import AppTest

PATIENCE_S = 60


def page() -> None:
    """What AppTest runs: one page, without the navigation around it."""
    import importlib

    import streamlit as st

    st.session_state["pages"] = {}
    st.session_state.setdefault("language", "en")
    importlib.import_module(f"dcsim.app.views.{st.session_state['view']}").show()


def opened(
    view: str, folder: Path, monkeypatch: pytest.MonkeyPatch, language: str = "en", **query: str
) -> AppTest:
    """A page over a workspace, drawn once."""
    monkeypatch.setenv("DCSIM_WORKSPACE", str(folder))
    test = AppTest.from_function(page, default_timeout=PATIENCE_S)
    test.session_state["view"], test.session_state["language"] = view, language
    for key, value in query.items():
        test.query_params[key] = value
    return test.run()


def texts(test: AppTest) -> str:
    """All that a page says in words."""
    kinds = (test.markdown, test.caption, test.success, test.warning, test.error, test.info, test.subheader)
    return "\n".join(str(one.value) for kind in kinds for one in kind)
