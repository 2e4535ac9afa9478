"""A job trace out of a CSV file: what the CSV formats share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dcsim.errors import Problem, ScenarioError
from dcsim.workloads.csv_file import NUMBER, CsvFile, parsed_csv
from dcsim.workloads.job_trace import Floats, JobTrace
from dcsim.workloads.packed_file import unpacked_content
from dcsim.workloads.recorded_columns import RowCheck, nanoseconds
from dcsim.workloads.trace_format import TimeUnit

_TEXT = "S64"  # longer names are cut
_ANY_OF = "|"  # between accelerator models
_NO_COLUMN = ""
MAX_ACCELERATORS = 1_000_000  # of one job


@dataclass(frozen=True, slots=True)
class JobColumns:
    """Which column of a file holds what; empty if none does. Numbers are in the units given."""

    submitted: str
    duration: str
    num_accelerators: str
    cores: str = _NO_COLUMN
    memory: str = _NO_COLUMN
    estimated: str = _NO_COLUMN
    priority: str = _NO_COLUMN
    queue: str = _NO_COLUMN
    user: str = _NO_COLUMN
    models: str = _NO_COLUMN
    status: str = _NO_COLUMN
    ended: str = _NO_COLUMN  # an end instead of a duration: duration is then empty
    shares: str = _NO_COLUMN  # thousandths of each accelerator
    time_unit: TimeUnit = TimeUnit.S
    cores_unit: float = 1.0
    memory_unit_bytes: float = 1.0

    @property
    def kinds(self) -> Mapping[str, str]:
        """The columns to read, as numbers or text."""
        time = _TEXT if self.time_unit is TimeUnit.TIMESTAMP else NUMBER
        numbers = (self.duration, self.num_accelerators, self.cores, self.memory, self.estimated)
        kinds = dict.fromkeys((*numbers, self.priority, self.ended, self.shares), NUMBER)
        kinds |= dict.fromkeys((self.queue, self.user, self.models, self.status), _TEXT)
        kinds[self.submitted] = time
        kinds.pop(_NO_COLUMN, None)
        return kinds


def csv_job_trace(path: Path, columns: JobColumns, *, keeps_cpu_jobs: bool, delimiter: str = ",") -> JobTrace:
    """Read a file. Raises ScenarioError naming the first bad line."""
    file = parsed_csv(path, unpacked_content(path), delimiter)
    rows = file.columns(columns.kinds)
    return _Rows(file, columns, rows, RowCheck(path, file.line_of)).trace(keeps_cpu_jobs)


@dataclass(frozen=True, slots=True)
class _Rows:
    file: CsvFile
    names: JobColumns
    rows: Mapping[str, npt.NDArray[np.generic]]
    check: RowCheck
    _none: Floats = field(init=False, default_factory=lambda: np.empty(0))

    def trace(self, keeps_cpu_jobs: bool) -> JobTrace:
        names = self.names
        instants_s = self._instants_s()
        duration_s = self._duration_s(instants_s)
        number = self._num_accelerators()
        estimated_s = self._amount(names.estimated) if names.estimated else duration_s
        kept = np.flatnonzero((number > 0) | keeps_cpu_jobs)
        if not len(kept):
            raise ScenarioError(Problem("has no job with accelerators", file=str(self.file.path)))
        order = kept[np.argsort(instants_s[kept], kind="stable")]
        models = (tuple(filter(None, text.split(_ANY_OF))) for text in self._texts(names.models, order))
        return JobTrace(
            submitted_at_s=instants_s[order] - instants_s[order[0]],
            duration_s=duration_s[order],
            num_accelerators=number[order],
            cores=self._amount(names.cores)[order] * names.cores_unit,
            memory_bytes=self._amount(names.memory)[order] * names.memory_unit_bytes,
            estimated_s=estimated_s[order],
            priority=self._numbers(names.priority)[order],
            queue=self._texts(names.queue, order),
            user=self._texts(names.user, order),
            models=tuple(models),
            status=self._texts(names.status, order),
        )

    def _instants_s(self) -> Floats:
        names = self.names
        cells = np.ascontiguousarray(self.rows[names.submitted])
        if names.time_unit is TimeUnit.TIMESTAMP:
            found = nanoseconds(cells, self._no_date)
            return np.asarray((found - found.min()) * names.time_unit.length_s, dtype=np.float64)
        numbers = self._numbers(names.submitted)
        return numbers * names.time_unit.length_s

    def _no_date(self, row: int) -> ScenarioError:
        name = self.names.submitted
        message = f"column '{name}' must be a date with a time, such as 2017-10-09 07:01:55"
        line, cell = self.file.line_of(row), self.file.cell(row, name)
        return ScenarioError(Problem(message, file=str(self.file.path), line=line, value=cell))

    def _duration_s(self, instants_s: Floats) -> Floats:
        if self.names.duration:
            return self._amount(self.names.duration)
        name = self.names.ended
        duration_s = self._numbers(name) - instants_s
        message = f"column '{name}' is before column '{self.names.submitted}'"
        self.check.refuse(duration_s < 0, message, self._numbers(name), "Remove the job or mend its times")
        return duration_s

    def _num_accelerators(self) -> Floats:
        names = self.names
        number = self._amount(names.num_accelerators)
        if names.shares:
            number = np.round(number * self._amount(names.shares)) / 1000.0
        column = f"column '{names.num_accelerators}'"
        self.check.refuse(number > MAX_ACCELERATORS, f"{column} must be at most {MAX_ACCELERATORS}", number)
        is_broken = (number > 1) & (number != np.floor(number))
        message = f"{column} must be a whole number, or a fraction of one accelerator"
        self.check.refuse(is_broken, message, number)
        return number

    def _numbers(self, name: str) -> Floats:
        if not name:
            return np.zeros(len(self.rows[self.names.submitted]))
        values = self.rows[name].astype(np.float64)
        self.check.refuse(~np.isfinite(values), f"column '{name}' must be finite", values)
        return values

    def _amount(self, name: str) -> Floats:
        values = self._numbers(name)
        remedy = "Remove the job or mend its value"
        self.check.refuse(values < 0, f"column '{name}' must not be negative", values, remedy)
        return values

    def _texts(self, name: str, order: npt.NDArray[np.int64]) -> tuple[str, ...]:
        if not name:
            return ("",) * len(order)
        return tuple(cell.decode("utf-8", "replace") for cell in self.rows[name][order].tolist())
