"""Streamlit's own command line, with the pages imported before it serves: the first visitor waits less."""

from __future__ import annotations

import importlib
import pkgutil
import sys

from streamlit.web import cli

import dcsim.app.views


def main() -> None:
    """Import every page, then do what the arguments say."""
    for found in pkgutil.iter_modules(dcsim.app.views.__path__):
        importlib.import_module(f"dcsim.app.views.{found.name}")
    sys.exit(cli.main(prog_name="streamlit"))


if __name__ == "__main__":
    main()
