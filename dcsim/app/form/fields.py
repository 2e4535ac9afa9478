"""Fields of a form, read off the scenario's JSON Schema: a new field of the spec is in the form by itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache

import dcsim

Schema = Mapping[str, object]

_CATALOGUE = "x-catalogue"
_FILE_KEYS = ("path", "file")


class Kind(StrEnum):
    """What a field takes, and so which widget shows it."""

    TEXT = "text"
    QUANTITY = "quantity"  # a number with a unit, or a share
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    CHOICE = "choice"  # one of some names; those of a catalogue have an entry each
    POLICY = "policy"  # one of some names, each with options of its own
    CHOICE_OR_FIELDS = "choice_or_fields"  # a name that stands for values of the fields, or these
    FILE = "file"  # the name of a file beside the scenario
    SECTION = "section"
    OTHER = "other"  # lists and the like: set in the YAML


@dataclass(frozen=True, slots=True)
class Field:
    """One field: its key in YAML, what it takes, what it means."""

    key: str
    kind: Kind
    help: str = ""
    is_required: bool = False
    default: object = None
    example: str = ""
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    catalogue: str = ""
    is_file_allowed: bool = False
    fields: tuple[Field, ...] = ()
    options: Mapping[str, tuple[Field, ...]] = field(default_factory=dict)


@cache
def scenario_fields() -> tuple[Field, ...]:
    """The fields of a scenario."""
    schema = dcsim.scenario_json_schema()
    return tuple(one for one in _Reader(schema).fields(schema) if one.key != "base")


@cache
def workload_fields() -> tuple[Field, ...]:
    """The fields of one served model."""
    schema = dcsim.scenario_json_schema()
    return _Reader(schema).fields(schema["$defs"]["Serving"])


def alone_key(path: tuple[str, ...]) -> str:
    """The key that a text alone is short for at a path of the scenario: a name, a file or a policy.

    >>> alone_key(("serving", "chat", "traffic", "trace")), alone_key(("serving", "chat", "router"))
    ('path', 'policy')
    """
    if path[0] == "serving":
        one = _field_at(workload_fields(), path[2:])
    else:
        one = _field_at(scenario_fields(), path)
    if one is None or one.kind is Kind.POLICY:
        return "policy"
    return "path" if any(inner.kind is Kind.FILE for inner in one.fields) and not one.choices else "base"


def _field_at(fields: tuple[Field, ...], path: tuple[str, ...]) -> Field | None:
    found = next((one for one in fields if path and one.key == path[0]), None)
    if found is None or len(path) == 1:
        return found
    options = tuple(inner for inners in found.options.values() for inner in inners)
    return _field_at((*found.fields, *options), path[1:])


class _Reader:
    """Reads one schema with its definitions."""

    def __init__(self, schema: Schema) -> None:
        self._definitions = _mapping(schema.get("$defs"))

    def fields(self, schema: Schema) -> tuple[Field, ...]:
        required = schema.get("required")
        names = set(required) if isinstance(required, list) else set()
        properties = _mapping(schema.get("properties"))
        return tuple(self._field(key, _mapping(one), key in names) for key, one in properties.items())

    def _field(self, key: str, schema: Schema, is_required: bool) -> Field:
        branches = self._branches(schema)
        about = {
            "key": key,
            "help": _help(schema, branches),
            "is_required": is_required,
            "default": schema.get("default"),
            "example": next((_example(one) for one in (schema, *branches) if "examples" in one), ""),
        }
        shape = {"kind": Kind.FILE} if key in _FILE_KEYS else self._shape(branches)
        return Field(**about, **shape)  # type: ignore[arg-type]

    def _branches(self, schema: Schema) -> list[Schema]:
        """The alternatives of a schema, references followed and null left out."""
        if "$ref" in schema:
            name = str(schema["$ref"]).rsplit("/", 1)[-1]
            return self._branches(_mapping(self._definitions[name]))
        inner = schema.get("anyOf")
        if not isinstance(inner, list):
            return [] if schema.get("type") == "null" else [schema]
        return [branch for one in inner for branch in self._branches(one)]

    def _shape(self, branches: list[Schema]) -> dict[str, object]:
        """What kind of field the alternatives make, and what belongs to it."""
        named = next((one for one in branches if "enum" in one and one.get("type") != "object"), None)
        objects = [one for one in branches if "properties" in one]
        if named is not None:
            return self._named(named, branches, objects)
        if objects:
            return {"kind": Kind.SECTION, "fields": self.fields(objects[-1])}
        return _plain(branches)

    def _named(self, named: Schema, branches: list[Schema], objects: list[Schema]) -> dict[str, object]:
        enum = named["enum"]
        choices = tuple(map(str, enum)) if isinstance(enum, list) else ()
        catalogue = str(named.get(_CATALOGUE, ""))
        about = {"choices": choices, "catalogue": catalogue}
        policies = {name: one for one in objects if (name := _policy(one))}
        if policies:
            options = {
                name: tuple(inner for inner in self.fields(one) if inner.key != "policy")
                for name, one in policies.items()
            }
            return {**about, "kind": Kind.POLICY, "options": options}
        is_file_allowed = any("pattern" in one for one in branches)
        if objects and not is_file_allowed:
            inner = tuple(one for one in self.fields(objects[-1]) if one.key != "base")
            return {**about, "kind": Kind.CHOICE_OR_FIELDS, "fields": inner}
        return {**about, "kind": Kind.CHOICE, "is_file_allowed": is_file_allowed}


def _plain(branches: list[Schema]) -> dict[str, object]:
    """The shape of a field that is neither named nor a section."""
    kinds = {str(kind) for one in branches for kind in _types(one)}
    limits = {
        "minimum": _limit(branches, "minimum", "exclusiveMinimum"),
        "maximum": _limit(branches, "maximum", "exclusiveMaximum"),
    }
    if "array" in kinds or "object" in kinds or not kinds:
        return {"kind": Kind.OTHER}
    if "boolean" in kinds:
        return {"kind": Kind.BOOLEAN}
    if {"string", "number"} <= kinds:
        return {"kind": Kind.QUANTITY}
    if "integer" in kinds:
        return {"kind": Kind.INTEGER, **limits}
    return {"kind": Kind.NUMBER, **limits} if "number" in kinds else {"kind": Kind.TEXT}


def _types(schema: Schema) -> list[object]:
    found = schema.get("type")
    return found if isinstance(found, list) else [found] if found else []


def _limit(branches: list[Schema], inclusive: str, exclusive: str) -> float | None:
    """The bound of whole numbers, where one beyond an exclusive bound is the last allowed."""
    step = 1 if inclusive == "minimum" else -1
    for one in branches:
        bound, beyond = one.get(inclusive), one.get(exclusive)
        if isinstance(bound, int | float):
            return bound
        if isinstance(beyond, int | float):
            return beyond + step
    return None


def _help(schema: Schema, branches: list[Schema]) -> str:
    texts = (one.get("description") for one in (schema, *branches))
    return str(next((text for text in texts if text), ""))


def _example(schema: Schema) -> str:
    examples = schema.get("examples")
    return str(examples[0]) if isinstance(examples, list) and examples else ""


def _policy(schema: Schema) -> str:
    chosen = _mapping(_mapping(schema.get("properties")).get("policy"))
    return str(chosen.get("const", ""))


def _mapping(value: object) -> Schema:
    return value if isinstance(value, Mapping) else {}
