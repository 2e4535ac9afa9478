"""Confinement: a scenario from somebody else may name files of one folder only."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel

from dcsim.errors import Problem, ScenarioError
from dcsim.model_walk import Spot
from dcsim.spec.document import Document, file_names
from dcsim.validation import in_order

_MESSAGE = "names no file of the folder that this scenario may read"
_REMEDY = "Put the file beside the scenario and give its name alone"


def check_confined(document: Document, model: type[BaseModel], folder: Path) -> None:
    """Raise ScenarioError unless every file that the document names exists inside ``folder``.

    Symbolic links are resolved, so that none leads out.
    """
    problems = list(_strangers(document, model, folder.resolve()))
    if problems:
        raise ScenarioError(in_order(problems))


def is_inside(name: str, start: Path, folder: Path) -> bool:
    """Whether a relative name, seen from ``start``, is an existing file inside ``folder``."""
    try:
        path = (start / name).resolve()
        return path.is_file() and path.is_relative_to(folder.resolve())
    except (OSError, ValueError, RuntimeError):  # a null character, a name too long, a loop of links
        return False


def _strangers(document: Document, model: type[BaseModel], folder: Path) -> Iterator[Problem]:
    for path, name in file_names(document.value, Spot(model, value=document.value)):
        if not is_inside(name, document.folder, folder):
            yield document.problem(path, _MESSAGE, name, _REMEDY)
