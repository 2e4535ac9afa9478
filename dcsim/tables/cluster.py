"""The tables of the cluster by name: what nodes, fabric and storage do beside serving."""

from __future__ import annotations

from collections.abc import Mapping

from dcsim.tables.storage import STORAGE_LOAD, STORAGE_OPERATIONS
from dcsim.tables.table import Column

CLUSTER_TABLES: Mapping[str, Mapping[str, Column]] = {
    "storage_operations": STORAGE_OPERATIONS,
    "storage_load": STORAGE_LOAD,
}
