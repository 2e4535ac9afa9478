"""Parquet files: single columns as arrays. pyarrow is imported only here, when a file is read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dcsim.errors import Problem, ScenarioError
from dcsim.workloads.data_file import column_number, content

MAGIC = b"PAR1"  # the first and last bytes of every parquet file


def parquet_columns(path: Path, names: Sequence[str]) -> dict[str, npt.NDArray[np.generic]]:
    """The named columns; dates become datetime64[ns], missing values NaN or NaT."""
    import pyarrow
    import pyarrow.parquet

    if content(path, len(MAGIC)) != MAGIC:
        raise ScenarioError(Problem("is not a parquet file", file=str(path)))
    try:
        file = pyarrow.parquet.ParquetFile(path)
        for name in names:
            column_number(name, file.schema_arrow.names, path)
        table = file.read(columns=list(names))
    except (pyarrow.ArrowException, OSError) as error:
        message = f"is damaged or truncated: {str(error).splitlines()[0]}"
        raise ScenarioError(Problem(message, file=str(path))) from error
    return {name: _array(table.column(name), name, path) for name in names}


def _array(column: object, name: str, path: Path) -> npt.NDArray[np.generic]:
    import pyarrow

    assert isinstance(column, pyarrow.ChunkedArray)
    if pyarrow.types.is_timestamp(column.type):
        return np.asarray(column.to_numpy()).astype("datetime64[ns]")
    if pyarrow.types.is_integer(column.type) or pyarrow.types.is_floating(column.type):
        return np.asarray(column.to_numpy()).astype(np.float64)
    message = f"column '{name}' must hold numbers or timestamps, not {column.type}"
    raise ScenarioError(Problem(message, file=str(path)))
