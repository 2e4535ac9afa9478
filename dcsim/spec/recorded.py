"""What sections that name a recorded trace have in common."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from dcsim.spec.section import Section, or_alone


class Recorded(Section):
    """A file with a trace. Its path alone is short for {path: PATH}."""

    name_key: ClassVar[str] = "path"

    path: str = Field(
        min_length=1, description="File, relative to the scenario's folder or the working directory."
    )

    @model_validator(mode="before")
    @classmethod
    def _from_path_alone(cls, value: object) -> object:
        return {"path": value} if isinstance(value, str) else value

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Offer the path alone to editors beside the fields."""
        return or_alone(handler.resolve_ref_schema(handler(schema)), {"type": "string"})
