"""Loading: a file, a text or a mapping becomes a checked Scenario, or one ScenarioError with all problems."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from dcsim.catalog.loader import without
from dcsim.errors import Problem, ScenarioError
from dcsim.spec.confinement import check_confined, is_inside
from dcsim.spec.document import Document, plain
from dcsim.spec.scenario import Scenario
from dcsim.strict_yaml import Located, read_yaml, read_yaml_file

_TEXT_NAME = "<text>"
_MAPPING_NAME = "<mapping>"
_SETTING_NAME = "--set"


def load(
    source: str | os.PathLike[str] | Mapping[str, object],
    *,
    overrides: Mapping[str, object] | None = None,
    folder: str | os.PathLike[str] | None = None,
    confined_to: str | os.PathLike[str] | None = None,
) -> Scenario:
    """The scenario in a file, in YAML text or in a mapping.

    Parameters
    ----------
    source
        A path, YAML text (known by a line break or a colon and a space) or a mapping.
        ``base: other.yaml`` in it inherits from another scenario.
    overrides
        Values by dotted path, as of ``--set``; text is parsed as YAML.
    folder
        Where relative file names start: the file's own folder, or the working directory, if left out.
    confined_to
        The only folder whose files the scenario may name, for scenarios of strangers; any if left out.

    Raises
    ------
    ScenarioError
        With every problem found, each with its file, line, path, value and remedy.
    """
    home = None if confined_to is None else Path(confined_to)
    document = _with_bases(_document(source, None if folder is None else Path(folder)), (), home)
    if overrides:
        document = document.with_settings(_parsed(overrides), Scenario, _SETTING_NAME)
    if home is not None:
        check_confined(document, Scenario, home)
    return Scenario.from_document(document)


def parse_setting(text: str) -> tuple[str, str]:
    """The dotted path and the value's text of ``a.b.c=value``. Raises ScenarioError for another form."""
    path, equals, value = text.partition("=")
    if not equals or not path.strip():
        message = f"'{text}' is not of the form a.b.c=value"
        raise ScenarioError(Problem(message, file=_SETTING_NAME))
    return path.strip(), value.strip()


def _parsed(overrides: Mapping[str, object]) -> dict[str, object]:
    """The overrides with text read as YAML."""
    settings: dict[str, object] = {}
    problems: list[Problem] = []
    for path, value in overrides.items():
        try:
            settings[path] = read_yaml(value, _SETTING_NAME).value if isinstance(value, str) else value
        except ScenarioError as error:
            problems += [Problem(found.message, path, value, file=_SETTING_NAME) for found in error.problems]
    if problems:
        raise ScenarioError(problems)
    return settings


def _document(source: str | os.PathLike[str] | Mapping[str, object], folder: Path | None) -> Document:
    if isinstance(source, Mapping):
        value = plain(source, (), _MAPPING_NAME)
        assert isinstance(value, dict)
        return Document(value, folder or Path(), {(): (_MAPPING_NAME, None)})
    if isinstance(source, str) and _is_text(source):
        return _from_yaml(read_yaml(source, _TEXT_NAME), folder or Path())
    path = Path(source)
    return _from_yaml(read_yaml_file(path), folder or path.parent)


def _is_text(source: str) -> bool:
    return "\n" in source or ": " in source or source.lstrip().startswith("{")


def _from_yaml(located: Located, folder: Path) -> Document:
    if not isinstance(located.value, dict):
        what = "is empty" if located.value is None else "must be a mapping of keys to values"
        raise ScenarioError(Problem(what, file=located.file, line=1, remedy="See the scenario reference"))
    places = {path: (located.file, line) for path, line in located.lines.items()}
    return Document(located.value, folder, places)


def _with_bases(document: Document, seen: tuple[Path, ...], home: Path | None) -> Document:
    """The document laid over the scenario that its ``base`` names, and that over its own base, and so on."""
    if "base" not in document.value:
        return document
    base = document.value["base"]
    if not isinstance(base, str):
        raise ScenarioError(document.problem(("base",), "must be the path of a scenario file", base))
    if home is not None and not is_inside(base, document.folder, home):
        raise ScenarioError(document.problem(("base",), "is not in the folder open to it", base))
    path = _resolved(document, base)
    if path in seen:
        raise ScenarioError(document.problem(("base",), "inherits from itself", base))
    above = replace(document, value=without(document.value, "base"))
    return above.over(
        _with_bases(_from_yaml(read_yaml_file(path), path.parent), (*seen, path), home), Scenario
    )


def _resolved(document: Document, base: str) -> Path:
    try:
        path = (document.folder / base).resolve()
        exists = path.is_file()
    except (OSError, ValueError, RuntimeError):  # a null character, a name too long, a loop of links
        exists = False
    if not exists:
        raise ScenarioError(
            document.problem(("base",), "no such file", base, f"It is looked for in {document.folder}")
        )
    return path
