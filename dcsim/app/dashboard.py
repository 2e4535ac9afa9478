"""The dashboard: ``dcsim dashboard``, or ``streamlit run app/dashboard.py`` in a checkout."""

from __future__ import annotations

import importlib
import pkgutil

import streamlit as st

import dcsim.app.views
from dcsim.app.session import is_login_required, words
from dcsim.app.words import Words, languages

_SIDEBAR_PX = 220
_STYLE = """
.stMainBlockContainer { padding: 2.6rem 2.2rem 3rem; max-width: 1500px; }
[data-testid="stCaptionContainer"], [data-testid="stCaptionContainer"] * { color: inherit !important; }
[data-testid="stCaptionContainer"] { opacity: 0.85; }
.stHorizontalBlock:has([data-testid="stMetric"]) { flex-wrap: wrap; }
.stHorizontalBlock:has([data-testid="stMetric"]) > .stColumn { min-width: 9.2rem; }
[data-testid="stMetricLabel"] * { white-space: normal; overflow: visible; }
[data-testid="stMetricValue"] { font-size: 1.5rem; font-variant-numeric: tabular-nums; }
"""

# on the light primary colour of the dark theme, white text is too faint
_DARK = """
[data-testid="stBaseButton-primary"] *, .stMultiSelect span[title] { color: #08131c !important; }
"""


def main() -> None:
    """Language, login, navigation; then the page itself."""
    text = words()
    st.set_page_config(page_title="dcsim", page_icon="🏗️", layout="wide", initial_sidebar_state=_SIDEBAR_PX)
    if is_login_required() and not st.user.is_logged_in:
        _ask_to_log_in(text)
        return
    modules = sorted(
        (
            importlib.import_module(f"dcsim.app.views.{found.name}")
            for found in pkgutil.iter_modules(dcsim.app.views.__path__)
        ),
        key=lambda module: int(module.ORDER),
    )
    pages = {
        module.KEY: st.Page(
            module.show,
            title=text(f"{module.KEY}.page"),
            icon=module.ICON,
            url_path=module.KEY,
            default=not number,
        )
        for number, module in enumerate(modules)
    }
    st.session_state["pages"] = pages
    page = st.navigation(list(pages.values()))
    with st.sidebar:
        _choose_language(text)
        if is_login_required():
            st.button(text("login.out", name=st.user.get("name", "")), on_click=st.logout)
    st.html(f"<style>{_STYLE}{_DARK if st.context.theme.type == 'dark' else ''}</style>")
    page.run()


def _choose_language(text: Words) -> None:
    known = languages()
    st.selectbox(
        text("language_label"),
        list(known),
        list(known).index(text.language),
        format_func=lambda code: known[code],
        key="language",
    )


def _ask_to_log_in(text: Words) -> None:
    st.title("dcsim")
    st.write(text("login.why"))
    st.button(text("login.in"), on_click=st.login, type="primary")


main()
