"""The scenario's JSON Schema: completion and checks in editors."""

from __future__ import annotations

from pydantic.json_schema import JsonSchemaValue

from dcsim.spec.scenario import Scenario

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def scenario_json_schema() -> JsonSchemaValue:
    """The JSON Schema of a scenario file: YAML keys, what each means, and the catalogue's names."""
    schema = Scenario.model_json_schema(by_alias=True, mode="validation")
    base = {
        "type": "string",
        "description": "Another scenario file to inherit from; what is written here lies over it.",
    }
    return {
        "$schema": _DIALECT,
        **schema,
        "title": "dcsim scenario",
        "properties": {"base": base, **schema["properties"]},
    }
