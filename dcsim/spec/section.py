"""What every part of a scenario is: a strict, frozen model."""

from __future__ import annotations

from typing import ClassVar

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """Base of the scenario's models: frozen, unknown keys refused, read by YAML key."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_by_name=False, validate_by_alias=True, allow_inf_nan=False
    )

    name_key: ClassVar[str] = "base"  # the key that a text alone is short for, where a text alone is read
