"""What every part of a scenario is: a strict, frozen model."""

from __future__ import annotations

from typing import ClassVar

from pydantic import BaseModel, ConfigDict
from pydantic.json_schema import JsonSchemaValue


class Section(BaseModel):
    """Base of the scenario's models: frozen, unknown keys refused, read by YAML key."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_by_name=False, validate_by_alias=True, allow_inf_nan=False
    )

    name_key: ClassVar[str] = "base"  # the key that a text alone is short for, where a text alone is read


def or_alone(fields: JsonSchemaValue, alone: JsonSchemaValue) -> JsonSchemaValue:
    """The JSON Schema of a section that a single value may stand for."""
    rest = {key: value for key, value in fields.items() if key != "description"}
    return {"description": fields.get("description", ""), "anyOf": [alone, rest]}
