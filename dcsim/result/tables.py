"""The tables of a result: all replications of all workloads, in memory or in parquet files."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dcsim.errors import Problem, ScenarioError
from dcsim.tables import PREEMPTIONS, REQUESTS, STEPS, Column, ServingTables, Table

if TYPE_CHECKING:
    import pandas
    import pyarrow

Replications = Sequence[Mapping[str, ServingTables]]

KINDS: Mapping[str, Mapping[str, Column]] = {"requests": REQUESTS, "steps": STEPS, "preemptions": PREEMPTIONS}
_REPLICATION = "replication"
_ENDED_AT = b"dcsim.ended_at_s"


class ResultTables:
    """The tables as pandas frames over all workloads and replications; as numpy under ``replications``."""

    def __init__(self, load: Callable[[], Replications]) -> None:
        self._load = load

    @cached_property
    def replications(self) -> Replications:
        """For each replication, each workload's tables as numpy columns."""
        return self._load()

    @cached_property
    def requests(self) -> pandas.DataFrame:
        """All requests, in order of workload, replication and arrival."""
        return self._frame("requests")

    @cached_property
    def steps(self) -> pandas.DataFrame:
        """All rows of engine steps."""
        return self._frame("steps")

    @cached_property
    def preemptions(self) -> pandas.DataFrame:
        """All preemptions."""
        return self._frame("preemptions")

    def _frame(self, kind: str) -> pandas.DataFrame:
        import pandas

        parts = []
        for workload in self.replications[0]:
            for number, tables in enumerate(self.replications):
                frame = _table(tables[workload], kind).to_pandas()
                frame.insert(0, _REPLICATION, np.int32(number))
                frame.insert(0, "workload", workload)
                parts.append(frame)
        return pandas.concat(parts, ignore_index=True)


def _table(tables: ServingTables, kind: str) -> Table:
    return {"requests": tables.requests, "steps": tables.steps, "preemptions": tables.preemptions}[kind]


def write_parquet(path: Path, kind: str, workload: str, replications: Replications) -> None:
    """Write one table of one workload, replication after replication; the columns carry unit and meaning."""
    import pyarrow
    import pyarrow.parquet

    schema = _schema(kind, [tables[workload].ended_at_s for tables in replications])
    with pyarrow.parquet.ParquetWriter(path, schema, compression="zstd") as writer:
        for number, tables in enumerate(replications):
            table = _table(tables[workload], kind)
            columns = [pyarrow.array(np.full(len(table), number, dtype=np.int32))]
            columns += [pyarrow.array(table[name]) for name in KINDS[kind]]
            writer.write_table(pyarrow.Table.from_arrays(columns, schema=schema))


def _schema(kind: str, ended_at_s: Sequence[float]) -> pyarrow.Schema:
    import pyarrow

    fields = [
        pyarrow.field(
            _REPLICATION, pyarrow.int32(), metadata={"meaning": "number of the replication, from 0"}
        )
    ]
    for name, column in KINDS[kind].items():
        about = {"unit": column.unit, "meaning": column.meaning}
        fields.append(pyarrow.field(name, pyarrow.from_numpy_dtype(np.dtype(column.dtype)), metadata=about))
    return pyarrow.schema(fields, metadata={_ENDED_AT: json.dumps(list(ended_at_s))})


def read_parquet(paths: Mapping[str, Path]) -> list[ServingTables]:
    """One workload's tables, replication by replication, from its file for each kind of table.

    Raises ScenarioError when a file is missing or is no such table.
    """
    parts: dict[str, list[Table]] = {}
    for kind, path in paths.items():
        parts[kind], ended_at_s = _read_one(path, kind)
    return [
        ServingTables(requests, steps, preemptions, end)
        for requests, steps, preemptions, end in zip(
            parts["requests"], parts["steps"], parts["preemptions"], ended_at_s, strict=True
        )
    ]


def _read_one(path: Path, kind: str) -> tuple[list[Table], list[float]]:
    import pyarrow
    import pyarrow.parquet

    try:
        whole = pyarrow.parquet.read_table(path)
        ended_at_s: list[float] = json.loads(whole.schema.metadata[_ENDED_AT])
        columns = {name: whole.column(name).to_numpy() for name in (_REPLICATION, *KINDS[kind])}
    except (OSError, pyarrow.ArrowException, KeyError, TypeError, ValueError) as error:
        raise ScenarioError(
            Problem(file=str(path), message=f"is no table of a dcsim result: {error}")
        ) from error
    bounds = np.searchsorted(columns.pop(_REPLICATION), np.arange(len(ended_at_s) + 1))
    tables = [
        Table({name: column[low:high] for name, column in columns.items()})
        for low, high in pairwise(bounds.tolist())
    ]
    return tables, ended_at_s
