"""The gallery: scenarios that come with dcsim, each asking one question."""

from __future__ import annotations

import os
from pathlib import Path

from dcsim.errors import Problem, ScenarioError
from dcsim.validation import nearest

_PACKAGE = Path(__file__).parents[1]
_FOLDERS = (_PACKAGE / "gallery", _PACKAGE.parent / "scenarios")  # in an installed wheel; in a checkout
_SUFFIX = ".yaml"


def gallery() -> dict[str, Path]:
    """The scenarios of the gallery by name."""
    folder = next((one for one in _FOLDERS if one.is_dir()), None)
    paths = sorted(folder.glob(f"*{_SUFFIX}")) if folder else []
    return {path.stem: path for path in paths}


def find_scenario(name: str) -> Path:
    """The file that a user means: a path first, then a name of the gallery.

    Raises ScenarioError, with the nearest name, if there is none.
    """
    if os.path.isdir(name):
        raise ScenarioError(Problem(file=name, message="is a folder, not a scenario file"))
    if os.path.exists(name):
        return Path(name)
    known = gallery()
    if name in known:
        return known[name]
    message = "no such file, and no scenario of the gallery has that name"
    raise ScenarioError(Problem(file=name, message=message, remedy=nearest(Path(name).stem, list(known))))
