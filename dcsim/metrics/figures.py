"""Figures: nested plain numbers, as they stand in summary.json."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TypeAlias

Figure: TypeAlias = "float | int | str | bool | list[Figure] | dict[str, Figure] | None"
Figures: TypeAlias = dict[str, Figure]


def finite(value: float) -> float | None:
    """The number as a plain float; None where it is infinite or undefined, which JSON cannot say."""
    number = float(value)
    return number if math.isfinite(number) else None


def ratio(part: float, whole: float) -> float | None:
    """Part over whole; None where there is no whole."""
    return finite(part / whole) if whole else None


def leaves(
    figures: Mapping[str, Figure], path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Figure]]:
    """Every figure that is not itself a mapping, with its path."""
    for key, value in figures.items():
        if isinstance(value, dict):
            yield from leaves(value, (*path, key))
        else:
            yield (*path, key), value


def put(figures: Figures, path: tuple[str, ...], value: Figure) -> None:
    """Set the figure at a path, making the mappings on the way."""
    for key in path[:-1]:
        inner = figures.setdefault(key, {})
        if not isinstance(inner, dict):
            raise TypeError(f"{'.'.join(path)}: {key} is a figure, not a mapping")
        figures = inner
    figures[path[-1]] = value
