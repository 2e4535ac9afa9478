"""Columns of tables with the types that arithmetic needs."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dcsim.tables import Table

Array = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


def floats(table: Table, name: str) -> Array:
    """A column as floats; no copy if it holds floats already."""
    return np.asarray(table[name], dtype=np.float64)


def integers(table: Table, name: str) -> Integers:
    """A column as 64-bit integers, so that sums and products do not overflow."""
    return np.asarray(table[name], dtype=np.int64)


def num_within(instants_s: Array, started_at_s: float, ended_at_s: float) -> int:
    """How many instants lie after the start and not after the end; undefined ones lie nowhere."""
    return int(np.count_nonzero(is_within(instants_s, started_at_s, ended_at_s)))


def is_within(instants_s: Array, started_at_s: float, ended_at_s: float) -> Mask:
    """Which instants lie after the start and not after the end."""
    inside: Mask = (instants_s > started_at_s) & (instants_s <= ended_at_s)
    return inside
