"""The catalogue: one YAML file per entry, found by name, each value with its source.

The folders beside this file are the shelves. Installed third-party packages add folders of their own
through the entry-point group ``dcsim.catalog.<kind>``: a path, or a callable that returns one.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeGuard

from dcsim.catalog.accelerator import Accelerator
from dcsim.catalog.collective import MeasuredCollectives
from dcsim.catalog.efficiency import Efficiency
from dcsim.catalog.engine import Engine
from dcsim.catalog.entry import Entry
from dcsim.catalog.link import Link
from dcsim.catalog.model import Model
from dcsim.catalog.node import Node
from dcsim.catalog.prices import OnDemandPrices, OwnedPrices
from dcsim.catalog.reliability import ReliabilityPreset
from dcsim.catalog.site import Site
from dcsim.catalog.software import Software
from dcsim.catalog.store import Store
from dcsim.catalog.trained_model import Convolutional, Encoder, EncoderDecoder, FixedCost, Recommender
from dcsim.errors import Problem, ScenarioError
from dcsim.plugins import installed
from dcsim.strict_yaml import Located, YamlPath, dotted, read_yaml_file
from dcsim.validation import Place, nearest, validated

KINDS: Mapping[str, tuple[type[Entry], ...]] = {
    "accelerators": (Accelerator,),
    "nodes": (Node,),
    "models": (Model, Encoder, EncoderDecoder, Convolutional, Recommender, FixedCost),
    "links": (Link,),
    "collectives": (MeasuredCollectives,),
    "sites": (Site,),
    "prices": (OwnedPrices, OnDemandPrices),
    "efficiency": (Efficiency,),
    "engines": (Engine,),
    "software": (Software,),
    "storage": (Store,),
    "reliability": (ReliabilityPreset,),
}
TRAFFIC = "traffic"  # presets: a title, a source and the keys of a traffic section, which the spec validates

RESIDUALS = "residuals"  # of an efficiency profile: the name of a file beside it, or a list of names
_SOURCED_KEYS = frozenset({"value", "source", "estimate", "why"})


@dataclass(frozen=True, slots=True)
class SourcedValue:
    """One value of an entry and where it comes from. An estimate says why."""

    path: str
    value_text: str
    source: str
    is_estimate: bool = False
    why: str = ""


@cache
def entry_names(kind: str) -> tuple[str, ...]:
    """The names of all entries of a kind, sorted."""
    return tuple(sorted(_files(kind)))


def load_entry(kind: str, name: str) -> Entry:
    """The entry of that name. Raises ScenarioError, offering the nearest name, if there is none."""
    _require_known(kind, name)
    return _load_known(kind, name)


@cache
def _load_known(kind: str, name: str) -> Entry:
    return _entry_of_file(kind, name, _located(kind, name))


def entry_mapping(kind: str, name: str) -> dict[str, object]:
    """The entry as plain keys and values, sources stripped. The caller may change it."""
    _require_known(kind, name)
    return copy.deepcopy(_mapping_of(_located(kind, name)))


def read_entry_file(kind: str, path: Path) -> dict[str, object]:
    """A user's own entry file as plain keys and values, ``base:`` resolved. Raises ScenarioError."""
    located = read_yaml_file(path)
    mapping = _mapping_of(located)
    base = mapping.get("base")
    if isinstance(base, str):
        _require_known(kind, base, located.file, located.lines[("base",)], "base")
        mapping = merged({**entry_mapping(kind, base), "name": base}, without(mapping, "base"))
    mapping.setdefault("name", path.stem)
    _validated(kind, mapping, located)
    return mapping


def without(mapping: Mapping[str, object], key: str) -> dict[str, object]:
    """The mapping without one key."""
    return {name: value for name, value in mapping.items() if name != key}


def build_entry(kind: str, mapping: Mapping[str, object]) -> Entry:
    """An entry from plain keys and values. Raises pydantic's ValidationError."""
    return entry_class(kind, mapping).model_validate(mapping)


def entry_class(kind: str, mapping: object) -> type[Entry]:
    """The class of an entry: for kinds with several, the one whose ``kind`` the mapping names."""
    classes = KINDS[kind]
    named = mapping.get("kind") if isinstance(mapping, Mapping) else None
    for candidate in classes[1:]:
        if named in candidate.model_fields["kind"].annotation.__args__:  # type: ignore[union-attr]
            return candidate
    return classes[0]


def merged(base: Mapping[str, object], above: Mapping[str, object]) -> dict[str, object]:
    """``above`` laid over ``base``: mappings merge key by key, everything else replaces."""
    result = dict(base)
    for key, value in above.items():
        below = result.get(key)
        both = isinstance(below, dict) and isinstance(value, dict)
        result[key] = merged(below, value) if both else value  # type: ignore[arg-type]
    return result


def provenance(kind: str, name: str) -> list[SourcedValue]:
    """Every value of an entry with its source: its own, or that of what encloses it."""
    _require_known(kind, name)
    return list(_sourced_values(_located(kind, name).value, (), None))


def _sourced_values(value: object, path: YamlPath, given: SourcedValue | None) -> Iterator[SourcedValue]:
    if _is_sourced(value):
        own = SourcedValue(
            path=dotted(path),
            value_text="",
            source=str(value.get("source") or (given.source if given else "")),
            is_estimate=value.get("estimate", given.is_estimate if given else False) is True,
            why=str(value.get("why") or ""),
        )
        yield from _sourced_values(value["value"], path, own)
    elif isinstance(value, dict):
        outer = given or SourcedValue("", "", str(value.get("source", "")))
        for key, child in value.items():
            if path or key not in ("source", "title", "name"):
                yield from _sourced_values(child, (*path, key), outer)
    elif given is not None:
        yield SourcedValue(dotted(path), _text(value), given.source, given.is_estimate, given.why)


def _text(value: object) -> str:
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return ", ".join(value)
    return str(value)


def _is_sourced(value: object) -> TypeGuard[dict[str, object]]:
    return isinstance(value, dict) and "value" in value and len(value) > 1 and value.keys() <= _SOURCED_KEYS


def without_sources(value: object) -> object:
    """The value with every ``{value: ..., source: ...}`` replaced by its value."""
    if _is_sourced(value):
        return without_sources(value["value"])
    if isinstance(value, dict):
        return {key: without_sources(child) for key, child in value.items()}
    if isinstance(value, list):
        return [without_sources(child) for child in value]
    return value


def _require_known(kind: str, name: str, file: str = "", line: int | None = None, path: str = "") -> None:
    if name not in entry_names(kind):
        remedy = nearest(name, entry_names(kind))
        raise ScenarioError(
            Problem(
                f"no entry of that name among {kind}", path, name, remedy, file or f"catalog/{kind}", line
            )
        )


@cache
def _files(kind: str) -> dict[str, Path]:
    folders = [Path(__file__).parent / kind]
    for point in installed(f"dcsim.catalog.{kind}"):
        found = point.load()
        folders.append(Path(found() if callable(found) else found))
    own_last = reversed(folders)
    return {file.stem: file for folder in own_last for file in sorted(folder.glob("*.yaml"))}


@cache
def _located(kind: str, name: str) -> Located:
    return read_yaml_file(_files(kind)[name])


def _mapping_of(located: Located) -> dict[str, object]:
    if not isinstance(located.value, dict):
        raise ScenarioError(Problem("must be a mapping of keys to values", file=located.file, line=1))
    problems = list(_estimates_without_reason(located.value, (), located))
    if problems:
        raise ScenarioError(problems)
    mapping = without_sources(located.value)
    assert isinstance(mapping, dict)
    named = mapping.get(RESIDUALS)
    if isinstance(named, str):
        mapping[RESIDUALS] = _beside(located, named, (RESIDUALS,))
    elif isinstance(named, list):
        mapping[RESIDUALS] = [
            _beside(located, name, (RESIDUALS, number)) if isinstance(name, str) else name
            for number, name in enumerate(named)
        ]
    return mapping


def _beside(located: Located, name: str, at: YamlPath) -> str:
    """The path of a file that must lie in the same folder as the entry that names it."""
    path = Path(located.file).parent / name
    if Path(name).name != name or not path.is_file():
        line = located.lines.get(at, located.lines.get((RESIDUALS,)))
        remedy = "Copy the .npz file that came with the profile beside it, and write its bare name"
        raise ScenarioError(
            Problem("no such file beside this one", dotted(at), name, remedy, located.file, line)
        )
    return str(path.resolve())


def _estimates_without_reason(value: object, path: YamlPath, located: Located) -> Iterator[Problem]:
    children = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    is_reasoned = isinstance(value, dict) and value.get("estimate") is True and bool(value.get("why"))
    if _is_sourced(value) and "estimate" in value and not is_reasoned:
        remedy, line = "Write estimate: true and say why: in a sentence", located.lines.get(path)
        yield Problem("an estimate needs a reason", dotted(path), remedy=remedy, file=located.file, line=line)
    for key, child in children:
        yield from _estimates_without_reason(child, (*path, key), located)


def _entry_of_file(kind: str, name: str, located: Located) -> Entry:
    return _validated(kind, {**_mapping_of(located), "name": name}, located)


def _validated(kind: str, mapping: dict[str, object], located: Located) -> Entry:
    def place_of(path: YamlPath) -> Place:
        while path and path not in located.lines:
            path = path[:-1]
        return located.file, located.lines.get(path)

    return validated(entry_class(kind, mapping), mapping, place_of)
