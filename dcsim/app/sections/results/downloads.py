"""Take it away: a page to send, the tables, the scenario, a link."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import streamlit as st

from dcsim import Result
from dcsim.app.html_report import html_report
from dcsim.app.share import packed, with_plain_names
from dcsim.app.words import Words

Content = str | Callable[[], str | bytes]

_ICONS = {
    "html": ":material/description:",
    "parquet": ":material/table:",
    "yaml": ":material/code:",
    "summary": ":material/data_object:",
}
ORDER, TITLE = 60, "downloads.title"


def has_data(result: Result) -> bool:
    """Always."""
    return True


def show(result: Result, words: Words) -> None:
    """Buttons; what is large is only made when asked for."""
    name, text = result.scenario.name, scenario_text(result)
    files: tuple[tuple[str, Content, str, str], ...] = (
        ("html", lambda: html_report([result], words), f"{name}.html", "text/html"),
        ("parquet", lambda: _packed_tables(result), f"{name}-tables.zip", "application/zip"),
        ("yaml", text, f"{name}.yaml", "application/yaml"),
        ("summary", result.summary_text(), f"{name}-summary.json", "application/json"),
    )
    for cell, (key, content, file, mime) in zip(st.columns(len(files)), files, strict=True):
        with cell:
            st.download_button(
                words(f"downloads.{key}"),
                content,
                file,
                mime,
                icon=_ICONS[key],
                on_click="ignore",
                width="stretch",
            )
    st.caption(words("downloads.png"))
    code = packed(text)
    if code is not None:
        st.markdown(words("downloads.link"))
        address = str(st.context.url).split("?")[0].rsplit("/", 1)[0]
        st.code(f"{address}/scenario?scenario={code}", language=None, wrap_lines=True)
        if file_names(result):
            st.caption(words("downloads.files", names=", ".join(file_names(result))))


def scenario_text(result: Result) -> str:
    """The scenario that was run, as YAML."""
    text = (result_folder(result) / "scenario.yaml").read_text(encoding="utf-8")
    return with_plain_names(text, file_names(result))


def file_names(result: Result) -> list[str]:
    """The files that the scenario names, as they were uploaded."""
    own = result_folder(result).parent / "files"
    return sorted(path.name for path in own.iterdir()) if own.is_dir() else []


def result_folder(result: Result) -> Path:
    """Where the result is saved."""
    assert result.folder is not None
    return result.folder


def _packed_tables(result: Result) -> bytes:
    """The parquet files in one archive; they are packed already."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(result_folder(result).glob("*.parquet")):
            archive.write(path, path.name)
    return stream.getvalue()
