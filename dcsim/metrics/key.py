"""A key of a contract: the unit of a number in ``summary.json`` or ``series.json``, and what it means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Key:
    """The unit of one or several alike numbers, and what they mean."""

    unit: str
    meaning: str


Sections = Mapping[str, tuple[str, Mapping[str, Key]]]  # by title: the beginning of the paths, and the keys
