"""The commands ``dcsim dashboard`` and ``dcsim report``."""

from __future__ import annotations

import importlib
from pathlib import Path

import dcsim
from dcsim.app.launch import require_extra, run_dashboard
from dcsim.app.words import DEFAULT_LANGUAGE, Words

__all__ = ["run_dashboard", "write_html_report"]


def write_html_report(folders: list[Path], output: Path, language: str = DEFAULT_LANGUAGE) -> None:
    """Write the page of one saved result, or of several compared.

    Raises ScenarioError where the extra is not installed, or a folder holds no result.
    """
    require_extra()
    page = importlib.import_module("dcsim.app.html_report")  # here: plotly
    results = [dcsim.open(folder) for folder in folders]
    comparison = dcsim.compare(results) if len(results) > 1 else None
    output.write_text(page.html_report(results, Words(language), comparison), encoding="utf-8")
