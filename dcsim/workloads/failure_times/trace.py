"""Recorded failures: a CSV file of instants and nodes, replayed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydantic import Field

from dcsim.errors import Problem, ScenarioError
from dcsim.workloads.csv_file import NUMBER, CsvFile, open_csv
from dcsim.workloads.data_file import located
from dcsim.workloads.failure_time import ANY_NODE, FailureTimes, RecordedFailures


class Trace(FailureTimes):
    """One failure per line: ``at_s``, seconds from the start of the simulation, and ``node``, its number.

    Without a column ``node`` each failure hits a node drawn at random. After the last line there are no more.
    """

    path: str = Field(
        min_length=1, description="CSV file, relative to the scenario's folder or the working directory."
    )

    def recorded(self, folder: Path) -> RecordedFailures:
        """Read the file. Raises ScenarioError naming the first bad line."""
        file = open_csv(located(self.path, folder))
        has_nodes = "node" in file.header
        columns = file.columns({"at_s": NUMBER, **({"node": NUMBER} if has_nodes else {})})
        at_s = columns["at_s"].astype(np.float64)
        node = columns["node"].astype(np.float64) if has_nodes else np.full(len(at_s), float(ANY_NODE))
        _refuse(file, ~np.isfinite(at_s) | (at_s < 0), "at_s", "must be a time from the start, in seconds")
        _refuse(file, np.diff(at_s, prepend=0.0) < 0, "at_s", "must not go back in time")
        if has_nodes:
            bad = ~np.isfinite(node) | (node < 0) | (node != np.rint(node)) | (node >= 2**31)
            _refuse(file, bad, "node", "must be the number of a node, from 0")
        return RecordedFailures(at_s, node.astype(np.int64))


def _refuse(file: CsvFile, is_bad: npt.NDArray[np.bool_], name: str, message: str) -> None:
    if is_bad.any():
        row = int(np.argmax(is_bad))
        place = file.line_of(row)
        raise ScenarioError(
            Problem(f"column '{name}' {message}", file=str(file.path), line=place, value=file.cell(row, name))
        )
