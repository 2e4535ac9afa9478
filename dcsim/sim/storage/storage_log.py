"""What stores write while they run: transfers and stretches of load."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from dcsim.sim.storage.tier import TierLoad
from dcsim.tables.storage import STORAGE_LOAD, STORAGE_OPERATIONS, StorageOperation
from dcsim.tables.table import Column, Table


@dataclass(slots=True)
class StorageLog:
    """Rows of the two tables of storage, shared by all stores of a simulation."""

    _operations: list[tuple[object, ...]] = field(default_factory=list)
    _load: list[tuple[object, ...]] = field(default_factory=list)

    def begin(
        self, store: str, operation: StorageOperation, now_s: float, num_bytes: float, label: str
    ) -> int:
        """Record a transfer and return its row."""
        self._operations.append((store, int(operation), now_s, math.nan, num_bytes, label))
        return len(self._operations) - 1

    def end(self, row: int, now_s: float) -> None:
        """Record that the transfer of a row is done."""
        store, operation, started_at_s, _, num_bytes, label = self._operations[row]
        self._operations[row] = (store, operation, started_at_s, now_s, num_bytes, label)

    def add_load(self, meter: LoadMeter, until_s: float) -> None:
        """Record a stretch of time in which nothing about a store changed."""
        load, started_at_s = meter.load, meter.since_s
        rates = (load.read_bytes_per_s, load.write_bytes_per_s, load.bandwidth_frac)
        row = (
            meter.name,
            started_at_s,
            until_s - started_at_s,
            *rates,
            meter.num_transfers,
            meter.used_bytes,
        )
        self._load.append(row)

    def tables(self) -> dict[str, Table]:
        """The tables ``storage_operations`` and ``storage_load``."""
        return {
            "storage_operations": _table(STORAGE_OPERATIONS, self._operations),
            "storage_load": _table(STORAGE_LOAD, self._load),
        }


_IDLE = TierLoad(0.0, 0.0, 0.0)


@dataclass(slots=True)
class LoadMeter:
    """The load of one store since it last changed. An idle store with nothing in it leaves no rows."""

    name: str
    log: StorageLog
    since_s: float
    load: TierLoad = _IDLE
    num_transfers: int = 0
    used_bytes: float = 0.0

    def update(self, now_s: float, load: TierLoad, num_transfers: int, used_bytes: float) -> None:
        """Close the stretch that ends now, if anything has changed."""
        if (load, num_transfers, used_bytes) == (self.load, self.num_transfers, self.used_bytes):
            return
        if now_s > self.since_s and (self.num_transfers or self.used_bytes or self.load != _IDLE):
            self.log.add_load(self, now_s)
        self.since_s, self.load = now_s, load
        self.num_transfers, self.used_bytes = num_transfers, used_bytes

    def finish(self, now_s: float) -> None:
        """Close the stretch that the end of the simulation cuts."""
        self.update(now_s, _IDLE, 0, 0.0)


def _table(columns: Mapping[str, Column], rows: list[tuple[object, ...]]) -> Table:
    values = zip(*rows, strict=True) if rows else ((),) * len(columns)
    return Table(
        {
            name: np.array(column_values, dtype=column.dtype)
            for (name, column), column_values in zip(columns.items(), values, strict=True)
        }
    )
