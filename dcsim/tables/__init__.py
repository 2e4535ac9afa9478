"""Tables: what a simulation writes and what metrics read. The reference docs are generated from here.

The simulation appends columns and knows no percentile; metrics read columns and know no event.
"""

from dcsim.tables.cluster import CLUSTER_TABLES
from dcsim.tables.run import RunTables
from dcsim.tables.serving import (
    KV_TRANSFERS,
    PREEMPTIONS,
    REQUESTS,
    STEPS,
    RequestStatus,
    ServingTables,
)
from dcsim.tables.table import TEXT, Column, Table, empty_table

__all__ = [
    "CLUSTER_TABLES",
    "KV_TRANSFERS",
    "PREEMPTIONS",
    "REQUESTS",
    "STEPS",
    "TEXT",
    "Column",
    "RequestStatus",
    "RunTables",
    "ServingTables",
    "Table",
    "empty_table",
]
