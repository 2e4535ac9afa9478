"""References: a catalogue name, a variation of an entry, or a file of one's own becomes an entry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from dcsim.catalog.entry import Entry
from dcsim.catalog.hugging_face import read_config
from dcsim.catalog.loader import (
    KINDS,
    build_entry,
    entry_class,
    entry_mapping,
    entry_names,
    load_entry,
    merged,
    read_entry_file,
    without,
    without_sources,
)
from dcsim.errors import Problem, ScenarioError

FILE_SUFFIXES = (".yaml", ".yml", ".json")
CATALOGUE_KEY = "x-catalogue"  # in the JSON Schema: the kind of the entries whose names are enumerated


@dataclass(frozen=True, slots=True)
class Reference:
    """Pydantic annotation: what YAML writes for a catalogue entry of one kind becomes the entry.

    Accepted are an entry, a name, ``{base: NAME_OR_FILE, field: value}``, a path ending in .yaml inside the
    scenario's folder or the working directory and, for models, the path of a Hugging Face config.json.
    The validation context ``{"folder": Path, "folders": [Path, ...]}`` says which folders are open to it.
    """

    kind: str
    accepts: tuple[type[Entry], ...] = ()  # of a kind with several classes, those that fit; all if left out

    @property
    def classes(self) -> tuple[type[Entry], ...]:
        """The classes of entries that fit here."""
        return self.accepts or KINDS[self.kind]

    @property
    def name_key(self) -> str:
        """The key that a name alone is short for."""
        return "base"

    def class_for(self, value: object) -> type[Entry]:
        """The class that the value is read as."""
        if isinstance(value, Mapping) and "kind" not in value and value.get("base") in entry_names(self.kind):
            value = entry_mapping(self.kind, str(value["base"]))
        return entry_class(self.kind, value)

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Resolve the reference while validating."""
        return core_schema.with_info_plain_validator_function(self._validate)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Offer the catalogue's names to editors, and the fields that a variation may set."""
        variations: list[JsonSchemaValue] = []
        for model in self.classes:
            entry = handler.resolve_ref_schema(handler(model.__pydantic_core_schema__))
            fields = {
                "base": {"type": "string", "description": "Entry to start from."},
                **entry["properties"],
            }
            variations.append(
                {"type": "object", "properties": fields, "required": ["base"], "additionalProperties": False}
            )
        names: JsonSchemaValue = {"enum": list(self._names()), CATALOGUE_KEY: self.kind}
        path: JsonSchemaValue = {
            "type": "string",
            "pattern": r"\.(yaml|yml|json)$",
            "description": "A file of one's own.",
        }
        return {"anyOf": [names, path, *variations]}

    def _names(self) -> tuple[str, ...]:
        """The names of the entries that fit."""
        names = entry_names(self.kind)
        if not self.accepts:
            return names
        return tuple(name for name in names if isinstance(load_entry(self.kind, name), self.accepts))

    def _validate(self, value: object, info: core_schema.ValidationInfo) -> Entry:
        entry = self._entry(value, info)
        if not isinstance(entry, self.classes):
            wanted = " or ".join(_kind_text(one) for one in self.classes)
            details = {"given": _kind_text(type(entry)), "wanted": wanted}
            raise PydanticCustomError("reference", "is of kind {given}; this takes kind {wanted}", details)
        return entry

    def _entry(self, value: object, info: core_schema.ValidationInfo) -> Entry:
        if isinstance(value, KINDS[self.kind]):
            return value
        context = info.context or {}
        folder = Path(context.get("folder", "."))
        folders = (folder, *context.get("folders", ()), Path())
        if isinstance(value, str):
            if value in entry_names(self.kind):
                return self._known(value)
            return build_entry(self.kind, self._mapping(value, folder, folders))
        if isinstance(value, Mapping) and isinstance(value.get("base"), str):
            base = self._mapping(value["base"], folder, folders)
            above = {key: without_sources(item) for key, item in without(value, "base").items()}
            return build_entry(self.kind, merged(base, above))
        message = "must be a name of {kind}, a file, or {variation}"
        raise PydanticCustomError(
            "reference", message, {"kind": self.kind, "variation": "{base: NAME, field: value}"}
        )

    def _known(self, name: str) -> Entry:
        try:
            return load_entry(self.kind, name)
        except ScenarioError as error:
            raise _as_pydantic(error) from error

    def _mapping(self, name: str, folder: Path, folders: tuple[Path, ...]) -> dict[str, object]:
        if name in entry_names(self.kind):
            self._known(name)
            return {**entry_mapping(self.kind, name), "name": name}
        if name.endswith(FILE_SUFFIXES):
            return self._read(_inside(name, folder, folders))
        if "/" in name or "\\" in name or ".." in name:
            raise PydanticCustomError("reference", "is neither a catalogue name nor a .yaml file")
        known = list(entry_names(self.kind))
        details = {"name": name, "kind": self.kind, "known": known}
        raise PydanticCustomError("unknown_name", "no '{name}' among {kind}", details)

    def _read(self, path: Path) -> dict[str, object]:
        try:
            if path.suffix != ".json":
                return read_entry_file(self.kind, path)
            if self.kind != "models":
                raise ScenarioError(Problem("only models are read from JSON", file=str(path)))
            return read_config(path)
        except ScenarioError as error:
            raise _as_pydantic(error) from error


def _inside(name: str, folder: Path, folders: tuple[Path, ...]) -> Path:
    """The file's path, refused unless it lies in one of the folders, symbolic links resolved."""
    try:
        path = (folder / name).resolve()
        if not path.exists():
            path = Path(name).resolve()
        roots = [root.resolve() for root in folders]
    except (OSError, ValueError, RuntimeError) as error:  # a null character, a name too long, a loop of links
        raise PydanticCustomError("reference", "is not a usable path") from error
    if not any(path.is_relative_to(root) for root in roots):
        message = "lies outside the scenario's folder; copy the file beside the scenario"
        raise PydanticCustomError("reference", message)
    return path


def _as_pydantic(error: ScenarioError) -> PydanticCustomError:
    return PydanticCustomError("entry", "bad entry", {"problems": list(error.problems)})


def _kind_text(entry: type[Entry]) -> str:
    """What the entries of a class write under ``kind``."""
    field = entry.model_fields.get("kind")
    names = getattr(None if field is None else field.annotation, "__args__", ())
    return " or ".join(str(name) for name in names) or entry.__name__
