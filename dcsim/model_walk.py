"""Finding a field by its YAML path: which class stands there, which keys it knows, what its field says.

Below the catalogue and the scenario: problems of both, settings by dotted path and inheritance ask it.
"""

from __future__ import annotations

import types
from dataclasses import dataclass
from typing import Annotated, Protocol, Union, get_args, get_origin, runtime_checkable

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from dcsim.strict_yaml import YamlPath


@runtime_checkable
class Chooser(Protocol):
    """An annotation whose class depends on the value, such as a policy or a catalogue reference."""

    @property
    def name_key(self) -> str:
        """The key that a name alone is short for: ``policy`` or ``base``."""

    def class_for(self, value: object) -> type[BaseModel] | None:
        """The class that the value is read as, if it can be told."""


@dataclass(frozen=True, slots=True)
class Spot:
    """One place of a document and what the models expect there."""

    annotation: object = None
    chooser: Chooser | None = None
    field: FieldInfo | None = None
    value: object = None

    @property
    def known_keys(self) -> tuple[str, ...]:
        """The keys that may stand here, as YAML writes them."""
        model = self.model
        if model is None:
            return ()
        keys = tuple(field.alias or name for name, field in model.model_fields.items())
        return (self.chooser.name_key, *keys) if self.chooser else keys

    @property
    def model(self) -> type[BaseModel] | None:
        """The class that is read here, if any."""
        if self.chooser is not None:
            return self.chooser.class_for(self.value)
        if isinstance(self.annotation, type) and issubclass(self.annotation, BaseModel):
            return self.annotation
        return None

    @property
    def name_key(self) -> str:
        """The key that a text alone is short for here: ``policy``, ``base`` or ``path``; empty if none."""
        if self.chooser is not None:
            return self.chooser.name_key
        return str(getattr(self.model, "name_key", ""))

    @property
    def default_name(self) -> str | None:
        """The name that stands here if the scenario leaves it out."""
        default = self.field.default if self.field else None
        return default if isinstance(default, str) else None

    @property
    def is_number(self) -> bool:
        """Whether a plain number stands here."""
        return self.chooser is None and self.annotation in (int, float)

    @property
    def is_named_mapping(self) -> bool:
        """Whether things under names of the user's choice stand here, such as served models."""
        arguments = get_args(self.annotation)
        is_mapping = self.chooser is None and get_origin(self.annotation) is dict and len(arguments) == 2
        return is_mapping and Spot(*_unwrapped(arguments[1], ())).model is not None

    def below(self, key: str | int) -> Spot:
        """The place one step further down; an empty spot where the models know of none."""
        value = child_of(self.value, key)
        model = self.model
        if model is not None:
            for name, field in model.model_fields.items():
                if key == (field.alias or name):
                    annotation, chooser = _unwrapped(field.annotation, tuple(field.metadata))
                    return Spot(annotation, chooser, field, value)
            return Spot(value=value)
        arguments = get_args(self.annotation)
        if get_origin(self.annotation) in (dict, list, tuple) and arguments:
            is_mapping = get_origin(self.annotation) is dict
            annotation, chooser = _unwrapped(arguments[1 if is_mapping else 0], ())
            return Spot(annotation, chooser, None, value)
        return Spot(value=value)


def spot_at(model: type[BaseModel], document: object, path: YamlPath) -> Spot:
    """What ``model`` expects at a path of the document."""
    spot = Spot(annotation=model, value=document)
    for key in path:
        spot = spot.below(key)
    return spot


def has_child(value: object, key: str | int) -> bool:
    """Whether a mapping has the key, or a list the index."""
    if isinstance(value, list):
        return isinstance(key, int) and 0 <= key < len(value)
    return isinstance(value, dict) and key in value


def child_of(value: object, key: str | int) -> object:
    """What stands under a key of a mapping or an index of a list; None if nothing does."""
    if isinstance(value, dict):
        return value.get(key)
    if isinstance(value, list) and isinstance(key, int) and 0 <= key < len(value):
        return value[key]
    return None


def _unwrapped(annotation: object, metadata: tuple[object, ...]) -> tuple[object, Chooser | None]:
    """The annotation without Annotated and None, and the chooser among its metadata."""
    for item in metadata:
        if isinstance(item, Chooser):
            return annotation, item
    if get_origin(annotation) is Annotated:
        inner, *rest = get_args(annotation)
        return _unwrapped(inner, tuple(rest))
    if get_origin(annotation) in (Union, types.UnionType):
        members = [member for member in get_args(annotation) if member is not type(None)]
        return _unwrapped(members[0], ())
    return annotation, None
