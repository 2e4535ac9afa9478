"""The tables of the cluster by name: what nodes, fabric and storage do beside serving."""

from __future__ import annotations

from collections.abc import Mapping

from dcsim.tables.fabric import FABRIC_OUTAGES, LINK_LOADS, LINKS, TRANSFERS
from dcsim.tables.failures import FAILURES
from dcsim.tables.holdings import NODE_HOLDINGS
from dcsim.tables.jobs import JOBS, POOL
from dcsim.tables.lending import LENDING, REPLICA_PAUSES
from dcsim.tables.storage import STORAGE_LOAD, STORAGE_OPERATIONS
from dcsim.tables.table import Column
from dcsim.tables.training import TRAINING_JOBS, TRAINING_SPANS

CLUSTER_TABLES: Mapping[str, Mapping[str, Column]] = {
    "training_spans": TRAINING_SPANS,
    "training_jobs": TRAINING_JOBS,
    "jobs": JOBS,
    "pool": POOL,
    "lending": LENDING,
    "replica_pauses": REPLICA_PAUSES,
    "failures": FAILURES,
    "node_holdings": NODE_HOLDINGS,
    "links": LINKS,
    "link_loads": LINK_LOADS,
    "transfers": TRANSFERS,
    "fabric_outages": FABRIC_OUTAGES,
    "storage_operations": STORAGE_OPERATIONS,
    "storage_load": STORAGE_LOAD,
}
