"""What every catalogue entry has: a title and a source."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class Entry(BaseModel):
    """A catalogue entry: frozen, strict, and never without a source."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_by_name=False, validate_by_alias=True)

    name: str = Field(default="", description="The entry's file name without .yaml; set by the loader.")
    title: str = Field(description="The entry's full name, for people.")
    source: str = Field(description="Where the values come from, unless a value names its own source.")
