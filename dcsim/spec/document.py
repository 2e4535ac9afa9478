"""The scenario as plain keys and values: where each stands, laid over a base, with settings applied."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path

import numpy as np
from pydantic import BaseModel

from dcsim.errors import Problem, ScenarioError
from dcsim.model_walk import Spot, child_of, has_child
from dcsim.spec.reference import FILE_SUFFIXES
from dcsim.strict_yaml import MAX_DEPTH, YamlPath, dotted
from dcsim.validation import Place, nearest

_PATH_KEYS = ("path", "file", "node_list")  # by these keys sections and policies say that a value is a file


@dataclass(frozen=True, slots=True)
class Document:
    """A merged scenario document. Two are equal when their values are, wherever they came from."""

    value: dict[str, object]
    folder: Path = field(compare=False)
    places: Mapping[YamlPath, Place] = field(compare=False)
    base_folders: tuple[Path, ...] = field(default=(), compare=False)

    def place_of(self, path: YamlPath) -> Place:
        """The file and line of a path, or of the nearest part of it that stands in the document."""
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path, ("", None))

    def problem(self, path: YamlPath, message: str, value: object = None, remedy: str = "") -> Problem:
        """A problem with what stands at a path."""
        file, line = self.place_of(path)
        return Problem(message, dotted(path), value, remedy, file, line)

    def over(self, base: Document, model: type[BaseModel]) -> Document:
        """This document laid over another: sections merge key by key, the rest replaces."""
        below = base.value
        if base.folder.resolve() != self.folder.resolve():
            moved = _with_moved_files(below, Spot(model, value=below), base.folder, self.folder)
            assert isinstance(moved, dict)
            below = moved
        value = _merged(below, self.value, Spot(model, value=below))
        assert isinstance(value, dict)
        places = {path: at for path, at in {**base.places, **self.places}.items() if _exists(value, path)}
        return Document(value, self.folder, places, (*self.base_folders, base.folder, *base.base_folders))

    def with_settings(self, settings: Mapping[str, object], model: type[BaseModel], file: str) -> Document:
        """A copy with the values at some dotted paths set. Raises ScenarioError for paths that cannot be."""
        changed = self
        problems: list[Problem] = []
        for text, value in settings.items():
            path: YamlPath = tuple(text.split("."))
            try:
                changed = changed._with_setting(path, plain(value, path, file), model, file)
            except ScenarioError as error:
                problems += error.problems
        if problems:
            raise ScenarioError(problems)
        return changed

    def _with_setting(self, path: YamlPath, value: object, model: type[BaseModel], file: str) -> Document:
        document = copy.deepcopy(self.value)
        spot, parent = Spot(model, value=document), document
        for number, part in enumerate(path[:-1]):
            at = path[: number + 1]
            key = _key(parent, part, at, file)
            _refuse_unknown_name(spot, parent, part, at, file)
            below = spot.below(key)
            child = child_of(parent, key)
            if child is None:
                child = below.default_name or {}
            if isinstance(child, str):
                child = _expanded(child, below)
            if not isinstance(child, dict | list):
                raise ScenarioError(
                    Problem("nothing can be set below a plain value", dotted(at), child, file=file)
                )
            parent[key] = child  # type: ignore[index]
            parent, spot = child, replace(below, value=child)  # type: ignore[assignment]
        key = _key(parent, path[-1], path, file)
        parent[key] = value  # type: ignore[index]
        places = {at: place for at, place in self.places.items() if at[: len(path)] != path}
        return replace(self, value=document, places={**places, path: (file, None)})


def plain(value: object, path: YamlPath, file: str) -> object:
    """The value in the types that YAML gives. Raises ScenarioError if there are others in it."""
    if len(path) > MAX_DEPTH:
        raise ScenarioError(Problem(f"is nested deeper than {MAX_DEPTH} levels", dotted(path[:3]), file=file))
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) and _is_unicode(key) for key in value):
            raise ScenarioError(Problem("keys must be text", dotted(path), file=file))
        return {str(key): plain(child, (*path, key), file) for key, child in value.items()}
    if isinstance(value, list | tuple | range):
        return [plain(child, (*path, number), file) for number, child in enumerate(value)]
    if isinstance(value, Enum):
        return plain(value.value, path, file)
    if isinstance(value, np.generic):
        return plain(value.item(), path, file)
    if isinstance(value, Path):
        return str(value)
    if (
        value is None
        or isinstance(value, bool | int | float)
        or (isinstance(value, str) and _is_unicode(value))
    ):
        return value
    raise ScenarioError(Problem(f"must be plain values, not {type(value).__name__}", dotted(path), file=file))


def _is_unicode(text: str) -> bool:
    """False for halves of surrogate pairs: what the command line makes of bytes that are not UTF-8."""
    return not any("\ud800" <= char <= "\udfff" for char in text)


def _key(parent: object, part: str | int, at: YamlPath, file: str) -> str | int:
    if not _is_unicode(str(part)):
        raise ScenarioError(Problem("keys must be text", dotted(at), file=file))
    if part == "":
        raise ScenarioError(
            Problem("an empty key in a dotted path", dotted(at), file=file, remedy="Write a.b.c")
        )
    if not isinstance(parent, list):
        return part
    if not str(part).isdecimal() or int(part) >= len(parent):
        remedy = f"Items are numbered from 0 to {len(parent) - 1}"
        raise ScenarioError(Problem("no such item of the list", dotted(at), remedy=remedy, file=file))
    return int(part)


def _refuse_unknown_name(spot: Spot, parent: object, part: str | int, at: YamlPath, file: str) -> None:
    """Setting something inside a named thing (``serving.NAME.x``) needs the thing."""
    if spot.is_named_mapping and isinstance(parent, dict) and part not in parent:
        raise ScenarioError(
            Problem("no such name", dotted(at), remedy=nearest(str(part), list(parent)), file=file)
        )


def _expanded(name: str, spot: Spot) -> object:
    """What a name alone is short for: ``{policy: NAME}``, ``{base: NAME}`` or ``{path: NAME}``."""
    return {spot.name_key: name} if spot.name_key else name


def _merged(base: object, above: object, spot: Spot) -> object:
    if isinstance(base, str) and isinstance(above, dict):
        base = _expanded(base, spot)
    if not isinstance(base, dict) or not isinstance(above, dict):
        return copy.deepcopy(above)
    if spot.chooser and above.get(key := spot.name_key, base.get(key)) != base.get(key):
        return copy.deepcopy(above)
    result = copy.deepcopy(base)
    for key, value in above.items():
        result[key] = _merged(base[key], value, spot.below(key)) if key in base else copy.deepcopy(value)
    return result


def _exists(value: object, path: YamlPath) -> bool:
    for key in path:
        if not has_child(value, key):
            return False
        value = child_of(value, key)
    return True


def _names_file(value: str, spot: Spot, key: str | int) -> bool:
    if key in _PATH_KEYS or spot.name_key in _PATH_KEYS:
        return True
    return "base" in (key, spot.name_key) and value.endswith(FILE_SUFFIXES)


def file_names(value: object, spot: Spot, path: YamlPath = ()) -> Iterator[tuple[YamlPath, str]]:
    """Where in a document files are named, and the names."""
    key = path[-1] if path else ""
    if isinstance(value, str) and _names_file(value, spot, key):
        yield path, value
    if isinstance(value, dict | list):
        for name, child in value.items() if isinstance(value, dict) else enumerate(value):
            yield from file_names(child, spot.below(name), (*path, name))


def _with_moved_files(value: object, spot: Spot, old: Path, new: Path, key: str | int = "") -> object:
    """The value with relative file names, which start at ``old``, made to start at ``new``."""
    if isinstance(value, str) and _names_file(value, spot, key) and not os.path.isabs(value):
        return os.path.relpath(old / value, new)
    if isinstance(value, dict):
        return {
            name: _with_moved_files(child, spot.below(name), old, new, name) for name, child in value.items()
        }
    if isinstance(value, list):
        items = enumerate(value)
        return [_with_moved_files(child, spot.below(number), old, new, number) for number, child in items]
    return value
