"""Recorded columns, checked: the first bad row is named with its line."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dcsim.errors import Problem, ScenarioError
from dcsim.workloads.length_distribution import MAX_TOKENS
from dcsim.workloads.trace_format import TimeUnit, Trace

Numbers = npt.NDArray[np.float64] | npt.NDArray[np.int64]

_DATE_LENGTH = len("2023-11-16")
_OFFSET = re.compile(rb"(?:Z|[+-]\d\d:?\d\d)$")
_OFFSET_SIGNS = b"+-Zz"


@dataclass(frozen=True, slots=True)
class RowCheck:
    """Refuses rows of one file. ``line_of`` gives a row's line; None for a file without lines."""

    path: Path
    line_of: Callable[[int], int] | None

    def refuse(
        self, is_bad: npt.NDArray[np.bool_], message: str, values: Numbers | None, remedy: str = ""
    ) -> None:
        """Raise ScenarioError for the first bad row, if there is one, quoting its value."""
        if not is_bad.any():
            return
        row = int(np.argmax(is_bad))
        value = None if values is None else f"{values[row].item():.12g}"
        line = self.line_of(row) if self.line_of else None
        if line is None:
            message = f"row {row + 1}: {message}"
        raise ScenarioError(Problem(message, file=str(self.path), line=line, value=value, remedy=remedy))

    def tokens(self, name: str, values: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
        """The column as token counts: whole numbers from 1."""
        column = f"column '{name}'"
        self.refuse(~np.isfinite(values), f"{column} must be finite", values)
        self.refuse(values < 1, f"{column} must be at least 1", values, "Remove requests without tokens")
        self.refuse(values > MAX_TOKENS, f"{column} must be at most {MAX_TOKENS}", values)
        self.refuse(values != np.floor(values), f"{column} must be a whole number", values)
        return values.astype(np.int64)


@dataclass(frozen=True, slots=True)
class RecordedColumns:
    """The columns of a trace as a file holds them, not yet checked; instants are numbers in ``time_unit``."""

    path: Path
    names: tuple[str, str, str]
    instants: Numbers
    time_unit: TimeUnit
    prompts: npt.NDArray[np.float64]
    outputs: npt.NDArray[np.float64]
    line_of: Callable[[int], int] | None

    def trace(self) -> Trace:
        """The checked trace. Raises ScenarioError for the first bad row of a column."""
        if len(self.instants) == 0:
            raise ScenarioError(Problem("has no rows", file=str(self.path)))
        time_name, prompt_name, output_name = self.names
        check = RowCheck(self.path, self.line_of)
        check.refuse(~np.isfinite(self.instants), f"column '{time_name}' must be finite", self.instants)
        elapsed_s = (self.instants - self.instants[0]) * self.time_unit.length_s
        goes_back = np.concatenate([[False], np.diff(elapsed_s) < 0])
        message = f"column '{time_name}' goes back in time"
        check.refuse(goes_back, message, None, "Sort the trace by time")
        prompts = check.tokens(prompt_name, self.prompts)
        outputs = check.tokens(output_name, self.outputs)
        return Trace(elapsed_s.astype(np.float64), prompts, outputs)


def nanoseconds(
    cells: npt.NDArray[np.bytes_], refusal: Callable[[int], ScenarioError]
) -> npt.NDArray[np.int64]:
    """Dates with times (ISO 8601, ``T`` or a blank between them) as nanoseconds since 1970.

    An offset from UTC is dropped, as only differences count; it must then be the same on every row.
    ``refusal`` makes the error for the first row that is no such date.
    """
    naive = _without_offset(cells, refusal)
    octets = naive.view(np.uint8).reshape(len(naive), -1)
    is_bad = (octets[:, 0] < ord("0")) | (octets[:, 0] > ord("9"))  # numpy would take "now" for a date
    for sign in _OFFSET_SIGNS:  # and crash on many rows with offsets
        is_bad |= (octets[:, _DATE_LENGTH:] == sign).any(axis=1)
    if is_bad.any():
        raise refusal(int(np.argmax(is_bad)))
    try:
        return naive.astype("datetime64[ns]").astype(np.int64)
    except ValueError as error:
        raise refusal(_first_that_fails(naive)) from error


def _without_offset(
    cells: npt.NDArray[np.bytes_], refusal: Callable[[int], ScenarioError]
) -> npt.NDArray[np.bytes_]:
    found = _OFFSET.search(bytes(cells[0]), _DATE_LENGTH)
    if found is None:
        return cells
    has_same = np.char.endswith(cells, found.group())
    if not has_same.all():
        raise refusal(int(np.argmin(has_same)))
    return np.ascontiguousarray(np.char.replace(cells, found.group(), b""))


def _first_that_fails(cells: npt.NDArray[np.bytes_]) -> int:
    """By halving: how many rows the longest readable beginning has."""
    low, high = 0, len(cells)
    while low < high - 1:
        middle = (low + high) // 2
        try:
            cells[low:middle].astype("datetime64[ns]")
        except ValueError:
            high = middle
        else:
            low = middle
    return low
