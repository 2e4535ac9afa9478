"""The gallery: scenarios that come with dcsim, each asking one question."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from dcsim.errors import Problem, ScenarioError
from dcsim.result import SCENARIO_FILE, is_result, saved_scenario_folder
from dcsim.spec.loader import load
from dcsim.spec.scenario import Scenario
from dcsim.validation import nearest

_PACKAGE = Path(__file__).parents[1]
_FOLDERS = (_PACKAGE / "gallery", _PACKAGE.parent / "scenarios")  # in an installed wheel; in a checkout
_SUFFIX = ".yaml"


def gallery() -> dict[str, Path]:
    """The scenarios of the gallery by name."""
    folder = next((one for one in _FOLDERS if one.is_dir()), None)
    paths = sorted(folder.glob(f"*{_SUFFIX}")) if folder else []
    return {path.stem: path for path in paths}


def load_scenario(name: str, *, overrides: Mapping[str, object]) -> Scenario:
    """The scenario that a user means; that of a saved result finds its files where the original stood.

    Raises ScenarioError with every problem found.
    """
    path = find_scenario(name)
    return load(path, overrides=overrides, folder=saved_scenario_folder(path))


def find_scenario(name: str) -> Path:
    """The file that a user means: a path, the folder of a saved result, or else a name of the gallery.

    Raises ScenarioError, with the nearest name, if there is none.
    """
    if os.path.isdir(name):
        if is_result(Path(name)):
            return Path(name) / SCENARIO_FILE
        raise ScenarioError(Problem(file=name, message="is a folder, not a scenario file"))
    if os.path.exists(name):
        return Path(name)
    known = gallery()
    if name in known:
        return known[name]
    message = "no such file, and no scenario of the gallery has that name"
    raise ScenarioError(Problem(file=name, message=message, remedy=nearest(Path(name).stem, list(known))))
