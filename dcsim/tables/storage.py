"""Tables of storage: every transfer, and how much of each store was in use when."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum

from dcsim.tables.table import TEXT, Column


class StorageOperation(IntEnum):
    """What a transfer does."""

    READ = 0
    WRITE = 1


STORAGE_OPERATIONS: Mapping[str, Column] = {
    "store": Column(TEXT, "", "store, as the scenario names it"),
    "operation": Column("i1", "", "0 read, 1 write"),
    "started_at_s": Column("f8", "s", "when it was asked for"),
    "finished_at_s": Column("f8", "s", "when its last byte had moved; NaN if it was cancelled or had not"),
    "num_bytes": Column("f8", "B", "bytes that it moves"),
    "label": Column(TEXT, "", "what it is for: checkpoint, restore, data set, weights, staging, drain"),
}

STORAGE_LOAD: Mapping[str, Column] = {
    "store": Column(TEXT, "", "store, as the scenario names it; NAME.cache is the cache in front of it"),
    "started_at_s": Column("f8", "s", "start of a stretch of time in which nothing about the store changes"),
    "duration_s": Column("f8", "s", "its length"),
    "read_bytes_per_s": Column("f8", "B/s", "rate at which the store is read"),
    "write_bytes_per_s": Column("f8", "B/s", "rate at which it is written"),
    "bandwidth_frac": Column("f8", "", "share of the store's bandwidth in use, reading and writing together"),
    "num_transfers": Column("i4", "", "transfers under way"),
    "used_bytes": Column("f8", "B", "capacity in use"),
}
