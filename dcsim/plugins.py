"""Policies found by file name: the name in YAML is the file's stem, the options are the class's fields.

A folder such as ``dcsim/policies/routers`` is a registry. Each file in it holds one public class whose
name is the stem in CamelCase (``least_outstanding`` -> ``LeastOutstanding``). Installed third-party
packages add theirs through an entry-point group of the folder's dotted name
(``dcsim.policies.routers``); a scenario can only name what is installed, never code to import.
"""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema


class Policy(BaseModel):
    """A decision with options. Subclasses add fields; instances are frozen."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_by_name=False, validate_by_alias=True, allow_inf_nan=False
    )


@cache
def installed(group: str) -> tuple[EntryPoint, ...]:
    """The entry points of a group, read once."""
    return tuple(entry_points(group=group))


@cache
def policy_names(package: str) -> tuple[str, ...]:
    """The names that ``policy:`` may take for the given folder, sorted."""
    own = {info.name for info in pkgutil.iter_modules(importlib.import_module(package).__path__)}
    foreign = {point.name for point in installed(package)}
    return tuple(sorted(name for name in own | foreign if not name.startswith("_")))


@cache
def policy_class(package: str, name: str) -> type[Policy]:
    """The class of one policy. Raises KeyError for an unknown name."""
    if name not in policy_names(package):
        raise KeyError(name)
    for point in installed(package):
        if point.name == name:
            return _checked(point.load(), f"{package}:{name}")
    module = importlib.import_module(f"{package}.{name}")
    return _checked(
        getattr(module, "".join(part.capitalize() for part in name.split("_"))), f"{package}.{name}"
    )


def _checked(found: Any, where: str) -> type[Policy]:
    if not (isinstance(found, type) and issubclass(found, Policy)):
        raise TypeError(f"{where} is not a dcsim Policy")
    return found


@dataclass(frozen=True, slots=True)
class PolicyFrom:
    """Pydantic annotation: ``{policy: NAME, option: value}``, or NAME alone, becomes a policy object.

    Where ``nameless`` is given, its options may stand without a name: the section that holds the field then
    fills in which policy is meant, before the options come here.
    """

    package: str
    nameless: type[Policy] | None = None

    @property
    def name_key(self) -> str:
        """The key that a name alone is short for."""
        return "policy"

    def class_for(self, value: object) -> type[Policy] | None:
        """The class that the value is read as, if it can be told."""
        if isinstance(value, dict) and "policy" not in value:
            return self.nameless
        name = value.get("policy") if isinstance(value, dict) else value
        return policy_class(self.package, name) if name in policy_names(self.package) else None

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Look the class up by name and validate the options against it."""
        return core_schema.with_info_plain_validator_function(self._validate)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Offer every installed policy with its options to editors."""
        names = policy_names(self.package)
        options: list[JsonSchemaValue] = []
        for name in names:
            one = handler.resolve_ref_schema(
                handler(policy_class(self.package, name).__pydantic_core_schema__)
            )
            fields = {"policy": {"const": name}, **one.get("properties", {})}
            options.append({**one, "properties": fields, "required": ["policy", *one.get("required", [])]})
        if self.nameless is not None:
            options.append(handler.resolve_ref_schema(handler(self.nameless.__pydantic_core_schema__)))
        return {"anyOf": [{"enum": list(names)}, *options]}

    def _validate(self, value: object, info: core_schema.ValidationInfo) -> Policy:
        if isinstance(value, Policy):
            return value
        options = {"policy": value} if isinstance(value, str) else value
        if not isinstance(options, dict) or not isinstance(options.get("policy"), str):
            raise PydanticCustomError("policy", "must be a policy: a name, or {policy: NAME, option: value}")
        name = options["policy"]
        if name not in policy_names(self.package):
            raise PydanticCustomError(
                "unknown_name",
                "unknown policy '{name}'",
                {"name": name, "known": list(policy_names(self.package))},
            )
        rest = {key: option for key, option in options.items() if key != "policy"}
        return policy_class(self.package, name).model_validate(rest, context=info.context)
