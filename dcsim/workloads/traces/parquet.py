"""Parquet traces with named columns."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dcsim.errors import Problem, ScenarioError
from dcsim.workloads.parquet_file import MAGIC, parquet_columns
from dcsim.workloads.recorded_columns import RecordedColumns
from dcsim.workloads.trace_format import NamedColumns, TimeUnit, Trace


class Parquet(NamedColumns):
    """One request per row. Instants may be numbers or timestamps."""

    @classmethod
    def recognizes(cls, head: bytes) -> bool:
        """By its first bytes."""
        return head.startswith(MAGIC)

    def read(self, path: Path) -> Trace:
        """Read the file."""
        names = (self.time_column, self.prompt_column, self.output_column)
        columns = parquet_columns(path, names)
        instants = columns[self.time_column]
        is_timestamp = np.issubdtype(instants.dtype, np.datetime64)
        unit = self.time_unit or (TimeUnit.TIMESTAMP if is_timestamp else TimeUnit.S)
        if is_timestamp != (unit is TimeUnit.TIMESTAMP):
            message = f"column '{self.time_column}' holds {instants.dtype}, which is not what time_unit says"
            raise ScenarioError(Problem(message, file=str(path), value=unit.value))
        missing = np.isnat(instants) if is_timestamp else np.zeros(len(instants), dtype=np.bool_)
        if missing.any():
            message = f"row {int(np.argmax(missing)) + 1}: column '{self.time_column}' is empty"
            raise ScenarioError(Problem(message, file=str(path)))
        numbers = instants.astype(np.int64) if is_timestamp else instants.astype(np.float64)
        prompts, outputs = (columns[name].astype(np.float64) for name in names[1:])
        return RecordedColumns(path, names, numbers, unit, prompts, outputs, None).trace()
