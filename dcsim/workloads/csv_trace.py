"""A trace out of a CSV file: what the CSV formats share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from dcsim.errors import Problem, ScenarioError
from dcsim.workloads.csv_file import NUMBER, TEXT, CsvFile, open_csv
from dcsim.workloads.recorded_columns import RecordedColumns, nanoseconds
from dcsim.workloads.trace_format import TimeUnit, Trace


def csv_trace(
    path: Path, names: tuple[str, str, str], time_unit: TimeUnit | None, delimiter: str = ","
) -> Trace:
    """Read the instants, prompt and output tokens. Raises ScenarioError naming the first bad line."""
    file = open_csv(path, delimiter)
    time_name, prompt_name, output_name = names
    unit = _guessed_unit(file, time_name) if time_unit is None else time_unit
    kinds = {
        time_name: TEXT if unit is TimeUnit.TIMESTAMP else NUMBER,
        prompt_name: NUMBER,
        output_name: NUMBER,
    }
    if len(kinds) < len(names):
        raise ScenarioError(
            Problem("instants and lengths need three different columns", file=str(path), value=names)
        )
    columns = file.columns(kinds)
    instants: npt.NDArray[np.float64] | npt.NDArray[np.int64]
    if unit is TimeUnit.TIMESTAMP:
        instants = nanoseconds(
            np.ascontiguousarray(columns[time_name]), lambda row: _no_date(file, time_name, row)
        )
    else:
        instants = columns[time_name].astype(np.float64)
    prompts, outputs = columns[prompt_name].astype(np.float64), columns[output_name].astype(np.float64)
    return RecordedColumns(path, names, instants, unit, prompts, outputs, file.line_of).trace()


def _guessed_unit(file: CsvFile, name: str) -> TimeUnit:
    try:
        float(file.first_cell(name))
    except ValueError:
        return TimeUnit.TIMESTAMP
    return TimeUnit.S


def _no_date(file: CsvFile, name: str, row: int) -> ScenarioError:
    message = f"column '{name}' must be a date with a time, such as 2023-11-16 18:15:46.6805900"
    return ScenarioError(
        Problem(message, file=str(file.path), line=file.line_of(row), value=file.cell(row, name))
    )
