"""CSV traces: a header line that names the columns."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from dcsim.workloads.csv_trace import csv_trace
from dcsim.workloads.trace_format import NamedColumns, Trace


class Csv(NamedColumns):
    """One request per line; the first line names the columns."""

    delimiter: str = Field(
        default=",",
        min_length=1,
        max_length=1,
        pattern=r'[^"\r\n]',
        description="Character between the columns.",
    )

    def read(self, path: Path) -> Trace:
        """Read the file."""
        columns = (self.time_column, self.prompt_column, self.output_column)
        return csv_trace(path, columns, self.time_unit, self.delimiter)
