"""A table: equally long named numpy columns, each with its unit and meaning."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pandas


TEXT = "object"  # dtype of a column of strings


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its numpy dtype (TEXT for strings), its unit and what it means."""

    dtype: str
    unit: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Table:
    """Equally long named numpy columns."""

    columns: Mapping[str, npt.NDArray[np.generic]]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()))) if self.columns else 0

    def __getitem__(self, name: str) -> npt.NDArray[np.generic]:
        return self.columns[name]

    def to_pandas(self) -> pandas.DataFrame:
        """The table as a pandas DataFrame."""
        import pandas

        return pandas.DataFrame(dict(self.columns))


def empty_table(columns: Mapping[str, Column]) -> Table:
    """A table of the declared columns without a row."""
    return Table({name: np.empty(0, dtype=column.dtype) for name, column in columns.items()})
