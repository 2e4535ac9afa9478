"""Files that users point at: found and opened, or refused in one sentence."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path

from dcsim.errors import Problem, ScenarioError


def resolved(path: str, folder: Path) -> Path:
    """The file of that name in ``folder`` if there is one, else as seen from the working directory."""
    return folder / path if (folder / path).exists() else Path(path)


def located(path: str, folder: Path) -> Path:
    """The existing file in ``folder`` or the working directory. Raises ScenarioError if there is none."""
    found = resolved(path, folder)
    if found.exists():
        return found
    remedy = f"Names are relative to {folder} or to the working directory {Path.cwd()}"
    raise ScenarioError(Problem("no such file", file=path, remedy=remedy))


def content(path: Path, num_bytes: int | None = None) -> bytes:
    """The file's bytes, or the first so many. Raises ScenarioError unless it is a regular, readable file."""
    if not path.is_file():
        message = "is not a regular file" if path.exists() else "no such file"
        raise ScenarioError(Problem(message, file=str(path)))
    try:
        with path.open("rb") as stream:
            return stream.read(-1 if num_bytes is None else num_bytes)
    except OSError as error:
        raise ScenarioError(Problem(f"cannot be read: {error.strerror}", file=str(path))) from error


def column_number(name: str, header: Sequence[str], path: Path) -> int:
    """Where the column stands; ScenarioError with the nearest name if it is missing or there are two."""
    if header.count(name) == 1:
        return header.index(name)
    message = f"column '{name}' appears twice" if name in header else f"no column '{name}'"
    nearest = difflib.get_close_matches(name, header, n=1, cutoff=0.4)
    remedy = f"Did you mean '{nearest[0]}'? " if nearest and name not in header else ""
    remedy += "The file names its columns " + ", ".join(repr(column[:40]) for column in header[:20])
    raise ScenarioError(Problem(message, file=str(path), line=1, remedy=remedy))
