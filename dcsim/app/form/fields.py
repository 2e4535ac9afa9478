"""Fields of a form, read off the scenario's JSON Schema: a new field of the spec is in the form by itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache

import dcsim

Schema = Mapping[str, object]

_CATALOGUE = "x-catalogue"
_FILE_KEYS = ("path", "file", "node_list")
_STORE_KEY = "store"


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
    STORE = "store"  # the name of one of the cluster's stores
    SECTION = "section"
    NAMED = "named"  # any number of things of one kind by name; the first of its fields is what each is
    OTHER = "other"  # lists and the like: set in the YAML


@dataclass(frozen=True, slots=True)
class Field:
    """One field: its key in YAML, what it takes, what it means."""

    key: str
    kind: Kind
    section: str = ""  # key of the part of the scenario that it is of; empty for the scenario itself
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
    return _of_each("serving")


@cache
def training_fields() -> tuple[Field, ...]:
    """The fields of one training job."""
    return _of_each("training")


def _of_each(key: str) -> tuple[Field, ...]:
    """The fields of each of the things that a part of the scenario names."""
    (one,) = next(found for found in scenario_fields() if found.key == key).fields
    return one.fields


def alone_key(path: tuple[str, ...]) -> str:
    """The key that a text alone is short for at a path of the scenario: a name, a file or a policy.

    >>> alone_key(("serving", "chat", "traffic", "trace")), alone_key(("serving", "chat", "router"))
    ('path', 'policy')
    """
    one = _field_at(scenario_fields(), path)
    if one is None or one.kind is Kind.POLICY:
        return "policy"
    return "path" if any(inner.kind is Kind.FILE for inner in one.fields) and not one.choices else "base"


def _field_at(fields: tuple[Field, ...], path: tuple[str, ...]) -> Field | None:
    found = next((one for one in fields if path and one.key == path[0]), None)
    if found is not None and found.kind is Kind.NAMED and len(path) > 1:
        (found,), path = found.fields, path[1:]
    if found is None or len(path) == 1:
        return found
    options = tuple(inner for inners in found.options.values() for inner in inners)
    return _field_at((*found.fields, *options), path[1:])


class _Reader:
    """Reads one schema with its definitions."""

    def __init__(self, schema: Schema) -> None:
        self._definitions = _mapping(schema.get("$defs"))

    def fields(self, schema: Schema, section: str = "") -> tuple[Field, ...]:
        required = schema.get("required")
        names = set(required) if isinstance(required, list) else set()
        properties = _mapping(schema.get("properties"))
        return tuple(
            self._field(key, _mapping(one), key in names, section) for key, one in properties.items()
        )

    def _field(self, key: str, schema: Schema, is_required: bool, section: str) -> Field:
        branches = self._branches(schema)
        about = {
            "key": key,
            "section": section,
            "help": _help(schema, [self._definition(schema), *branches]),
            "is_required": is_required,
            "default": schema.get("default"),
            "example": next((_example(one) for one in (schema, *branches) if "examples" in one), ""),
        }
        if key in _FILE_KEYS or key == _STORE_KEY:
            shape: dict[str, object] = {"kind": Kind.STORE if key == _STORE_KEY else Kind.FILE}
        else:
            shape = self._shape(branches, key)
        return Field(**about, **shape)  # type: ignore[arg-type]

    def _definition(self, schema: Schema) -> Schema:
        """What a reference is to; nothing where the schema is none."""
        return _mapping(self._definitions.get(str(schema.get("$ref", "")).rsplit("/", 1)[-1]))

    def _branches(self, schema: Schema) -> list[Schema]:
        """The alternatives of a schema, references followed and null left out."""
        if "$ref" in schema:
            return self._branches(self._definition(schema))
        inner = schema.get("anyOf")
        if not isinstance(inner, list):
            return [] if schema.get("type") == "null" else [schema]
        return [branch for one in inner for branch in self._branches(one)]

    def _shape(self, branches: list[Schema], key: str) -> dict[str, object]:
        """What kind of field the alternatives make, and what belongs to it."""
        named = next((one for one in branches if "enum" in one and one.get("type") != "object"), None)
        objects = [one for one in branches if "properties" in one]
        each = next((one for one in branches if isinstance(one.get("additionalProperties"), Mapping)), None)
        if each is not None and not objects:
            return self._each(_mapping(each["additionalProperties"]), key)
        if named is not None:
            return self._named(named, branches, objects, key)
        if objects:
            return {"kind": Kind.SECTION, "fields": self.fields(objects[-1], key)}
        return _plain(branches)

    def _each(self, schema: Schema, key: str) -> dict[str, object]:
        """Things by name: the field that each of them is; plain values are left to the YAML."""
        one = self._field(key, schema, False, key)
        if one.kind not in (Kind.SECTION, Kind.CHOICE_OR_FIELDS):
            return {"kind": Kind.OTHER}
        return {"kind": Kind.NAMED, "fields": (one,)}

    def _named(
        self, named: Schema, branches: list[Schema], objects: list[Schema], key: str
    ) -> dict[str, object]:
        enum = named["enum"]
        choices = tuple(map(str, enum)) if isinstance(enum, list) else ()
        catalogue = str(named.get(_CATALOGUE, ""))
        about = {"choices": choices, "catalogue": catalogue}
        policies = {name: one for one in objects if (name := _policy(one))}
        if policies:
            options = {
                name: tuple(inner for inner in self.fields(one, key) if inner.key != "policy")
                for name, one in policies.items()
            }
            return {**about, "kind": Kind.POLICY, "options": options}
        is_file_allowed = any("pattern" in one for one in branches)
        if objects and not is_file_allowed:
            inner = self.fields(objects[-1], key)
            if any(one.key == "base" and one.is_required for one in inner):  # an entry, and how much of it
                return {"kind": Kind.SECTION, "fields": inner}
            own = tuple(one for one in inner if one.key != "base")
            return {**about, "kind": Kind.CHOICE_OR_FIELDS, "fields": own}
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
