"""CSV files read fast, and their first bad line found when they cannot be read.

numpy parses the whole file at once; only if that fails, or the result is refused, is the file walked line
by line to say where.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dcsim.errors import Problem, ScenarioError
from dcsim.workloads.data_file import column_number, content

NUMBER = "f8"
TEXT = "S40"  # longer cells are cut: instants never are that long
_ENCODING = "utf-8-sig"
_MAX_HEADER_BYTES = 65_536
_NUMERAL = re.compile(r"\s*[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|nan|inf(?:inity)?)\s*", re.IGNORECASE)
_FIRST_LINE = re.compile(rb"[^\r\n]*")


@dataclass(frozen=True, slots=True)
class CsvFile:
    """A CSV file in memory: a header line and rows."""

    path: Path
    raw: bytes
    delimiter: str
    header: tuple[str, ...]

    def columns(self, kinds: Mapping[str, str]) -> dict[str, npt.NDArray[np.generic]]:
        """The named columns as arrays of NUMBER or TEXT. Raises ScenarioError naming the first bad line."""
        numbers = [column_number(name, self.header, self.path) for name in kinds]
        if not _FIRST_LINE.sub(b"", self.raw, count=1).strip():
            raise ScenarioError(Problem("has a header and no rows", file=str(self.path), line=1))
        dtype = np.dtype([(f"c{number}", kind) for number, kind in zip(numbers, kinds.values(), strict=True)])
        try:
            rows = np.loadtxt(
                self._stream(),
                dtype=dtype,
                delimiter=self.delimiter,
                skiprows=1,
                usecols=numbers,
                comments=None,
                quotechar='"',
                ndmin=1,
            )
        except ValueError as error:
            raise ScenarioError(self._first_problem(kinds) or self._problem(str(error), None)) from error
        if self._may_be_ragged(len(rows)):
            problem = self._first_problem(kinds)
            if problem:
                raise ScenarioError(problem)
        return {name: rows[f"c{number}"] for name, number in zip(kinds, numbers, strict=True)}

    def first_cell(self, name: str) -> str:
        """The column's cell in the first row; empty if there is none."""
        number = column_number(name, self.header, self.path)
        for _, row in self._rows():
            return row[number].strip() if number < len(row) else ""
        return ""

    def cell(self, row_number: int, name: str) -> str:
        """The text in the column, in the row of that number, from 0."""
        return self._row(row_number)[1][self.header.index(name)]

    def line_of(self, row_number: int) -> int:
        """The line on which the row of that number, from 0, ends."""
        return self._row(row_number)[0]

    def _row(self, row_number: int) -> tuple[int, list[str]]:
        return next(islice(self._rows(), row_number, None))

    def _may_be_ragged(self, num_rows: int) -> bool:
        """Whether some row may have more columns than the header: numpy takes no notice of them."""
        num_delimiters = self.raw.count(self.delimiter.encode())
        return b'"' in self.raw or num_delimiters != (len(self.header) - 1) * (num_rows + 1)

    def _stream(self) -> io.TextIOWrapper:
        return io.TextIOWrapper(io.BytesIO(self.raw), encoding=_ENCODING, newline=None)

    def _rows(self) -> Iterator[tuple[int, list[str]]]:
        reader = csv.reader(self._stream(), delimiter=self.delimiter)
        try:
            next(reader)
            for row in reader:
                if row:
                    yield reader.line_num, row
        except csv.Error as error:
            raise ScenarioError(self._problem(f"is not CSV: {error}", reader.line_num)) from error

    def _first_problem(self, kinds: Mapping[str, str]) -> Problem | None:
        for line, row in self._rows():
            if len(row) != len(self.header):
                return self._wrong_width(line, row)
            for name, kind in kinds.items():
                cell = row[self.header.index(name)]
                if kind == NUMBER and not _NUMERAL.fullmatch(cell):
                    message = "must be a number" if cell.strip() else "is empty"
                    return self._problem(f"column '{name}' {message}", line, cell)
        return None

    def _wrong_width(self, line: int, row: list[str]) -> Problem:
        is_short = len(row) < len(self.header)
        named = len(self.header)
        message = f"has {len(row)} of {named} columns" if is_short else f"has {len(row)} columns, not {named}"
        is_cut_off = is_short and line > self.raw.rstrip().count(b"\n")
        remedy = "The file seems cut off here: fetch it again or remove its last line" if is_cut_off else ""
        return self._problem(message, line, self.delimiter.join(row), remedy)

    def _problem(self, message: str, line: int | None, value: str | None = None, remedy: str = "") -> Problem:
        return Problem(message, file=str(self.path), line=line, value=value, remedy=remedy)


def open_csv(path: Path, delimiter: str = ",") -> CsvFile:
    """The file, read into memory. Raises ScenarioError when it is missing, empty or not UTF-8 text."""
    return parsed_csv(path, content(path), delimiter)


def parsed_csv(path: Path, raw: bytes, delimiter: str = ",") -> CsvFile:
    """The bytes of that file as CSV. Raises ScenarioError when they are empty or not UTF-8 text."""
    if not raw.strip():
        raise ScenarioError(Problem("is empty", file=str(path), remedy="A trace has a header line and rows"))
    nul_at = raw.find(b"\0")
    try:
        raw.decode(_ENCODING)
    except UnicodeDecodeError as error:
        nul_at = error.start if nul_at < 0 else min(nul_at, error.start)
    if nul_at >= 0:
        line = raw.count(b"\n", 0, nul_at) + 1
        message = f"is not a text file: byte {nul_at} is no UTF-8 text"
        remedy = "Decompress it first, or name its format (parquet)"
        raise ScenarioError(Problem(message, file=str(path), line=line, remedy=remedy))
    first_line = raw[:_MAX_HEADER_BYTES].splitlines()[0].decode(_ENCODING, "replace")
    header = next(csv.reader([first_line], delimiter=delimiter), [])
    return CsvFile(path, raw, delimiter, tuple(name.strip() for name in header))
