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
from dcsim.tables import (
    CLUSTER_TABLES,
    KV_TRANSFERS,
    PREEMPTIONS,
    REQUESTS,
    STEPS,
    TEXT,
    Column,
    RunTables,
    ServingTables,
    Table,
)

if TYPE_CHECKING:
    import pandas
    import pyarrow

Replications = Sequence[RunTables]

KINDS: Mapping[str, Mapping[str, Column]] = {
    "requests": REQUESTS,
    "steps": STEPS,
    "preemptions": PREEMPTIONS,
    "kv_transfers": KV_TRANSFERS,
}
_REPLICATION = "replication"
_ADDED = {"prefill_engine": -1}  # columns that results of earlier versions lack, and what held of them
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

    @cached_property
    def kv_transfers(self) -> pandas.DataFrame:
        """All KV transfers: none without prefill replicas."""
        return self._frame("kv_transfers")

    def cluster(self, kind: str) -> pandas.DataFrame:
        """A table of what the nodes do beside serving (``jobs``, ``failures``, ...), all replications.

        Raises KeyError, naming those that there are, where the scenario has no such thing.
        """
        import pandas

        known = self.replications[0].cluster
        if kind not in known:
            raise KeyError(f"no table '{kind}'; there are: {', '.join(known) or 'none'}")
        parts = []
        for number, tables in enumerate(self.replications):
            frame = tables.cluster[kind].to_pandas()
            frame.insert(0, _REPLICATION, np.int32(number))
            parts.append(frame)
        return pandas.concat(parts, ignore_index=True)

    def _frame(self, kind: str) -> pandas.DataFrame:
        import pandas

        parts = []
        for workload in self.replications[0]:
            for number, tables in enumerate(self.replications):
                frame = _table(tables[workload], kind).to_pandas()
                frame.insert(0, _REPLICATION, np.int32(number))
                frame.insert(0, "workload", workload)
                parts.append(frame)
        if not parts:
            return pandas.DataFrame(columns=["workload", _REPLICATION, *KINDS[kind]])
        return pandas.concat(parts, ignore_index=True)


def _table(tables: ServingTables, kind: str) -> Table:
    found: Table = getattr(tables, kind)
    return found


def write_serving(path: Path, kind: str, workload: str, replications: Replications) -> None:
    """Write one table of one workload, replication after replication; the columns carry unit and meaning."""
    ends_s = [tables[workload].ended_at_s for tables in replications]
    _write(path, KINDS[kind], [_table(tables[workload], kind) for tables in replications], ends_s)


def write_cluster(path: Path, kind: str, replications: Replications) -> None:
    """Write one table of the cluster, replication after replication."""
    ends_s = [tables.ended_at_s for tables in replications]
    _write(path, CLUSTER_TABLES[kind], [tables.cluster[kind] for tables in replications], ends_s)


def _write(
    path: Path, declared: Mapping[str, Column], tables: Sequence[Table], ended_at_s: Sequence[float]
) -> None:
    import pyarrow
    import pyarrow.parquet

    schema = _schema(declared, ended_at_s)
    with pyarrow.parquet.ParquetWriter(path, schema, compression="zstd") as writer:
        for number, table in enumerate(tables):
            columns = [pyarrow.array(np.full(len(table), number, dtype=np.int32))]
            columns += [pyarrow.array(table[name]) for name in declared]
            writer.write_table(pyarrow.Table.from_arrays(columns, schema=schema))


def _schema(declared: Mapping[str, Column], ended_at_s: Sequence[float]) -> pyarrow.Schema:
    import pyarrow

    fields = [
        pyarrow.field(
            _REPLICATION, pyarrow.int32(), metadata={"meaning": "number of the replication, from 0"}
        )
    ]
    for name, column in declared.items():
        about = {"unit": column.unit, "meaning": column.meaning}
        fields.append(pyarrow.field(name, _arrow_type(column.dtype), metadata=about))
    return pyarrow.schema(fields, metadata={_ENDED_AT: json.dumps(list(ended_at_s))})


def _arrow_type(dtype: str) -> pyarrow.DataType:
    import pyarrow

    return pyarrow.string() if dtype == TEXT else pyarrow.from_numpy_dtype(np.dtype(dtype))


def read_serving(paths: Mapping[str, Path]) -> list[ServingTables]:
    """One workload's tables, replication by replication, from its file for each kind of table.

    Raises ScenarioError when a file is missing or is no such table.
    """
    parts: dict[str, list[Table]] = {}
    for kind, path in paths.items():
        parts[kind], ended_at_s = _read_one(path, KINDS[kind])
    return [
        ServingTables(**dict(zip(parts, tables, strict=True)), ended_at_s=end)
        for *tables, end in zip(*parts.values(), ended_at_s, strict=True)
    ]


def read_cluster(paths: Mapping[str, Path]) -> tuple[list[dict[str, Table]], list[float]]:
    """The cluster's tables by kind, replication by replication, and when each simulation stopped.

    Raises ScenarioError when a file is missing or is no such table.
    """
    parts, ended_at_s = {}, list[float]()
    for kind, path in paths.items():
        parts[kind], ended_at_s = _read_one(path, CLUSTER_TABLES[kind])
    return [dict(zip(parts, tables, strict=True)) for tables in zip(*parts.values(), strict=True)], ended_at_s


def _read_one(path: Path, declared: Mapping[str, Column]) -> tuple[list[Table], list[float]]:
    import pyarrow
    import pyarrow.parquet

    try:
        whole = pyarrow.parquet.read_table(path)
        ended_at_s: list[float] = json.loads(whole.schema.metadata[_ENDED_AT])
        for name in _ADDED.keys() & declared.keys() - set(whole.column_names):
            whole = whole.append_column(
                name, pyarrow.array(np.full(len(whole), _ADDED[name], dtype=np.int32))
            )
        columns = {name: whole.column(name).to_numpy() for name in (_REPLICATION, *declared)}
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
