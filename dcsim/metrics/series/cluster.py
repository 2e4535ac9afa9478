"""Series of what the cluster does beside serving, small enough to draw whatever the length of the run."""

from __future__ import annotations

from collections.abc import Sequence

from dcsim.metrics.cluster_work import ClusterWork
from dcsim.metrics.figures import Figures
from dcsim.metrics.run_bins import RunBins
from dcsim.metrics.series.fabric import fabric_series
from dcsim.metrics.series.failures import failure_series
from dcsim.metrics.series.jobs import jobs_series
from dcsim.metrics.series.nodes import nodes_series
from dcsim.metrics.series.storage import storage_series
from dcsim.metrics.series.training import training_series
from dcsim.metrics.window import Window
from dcsim.spec.storage import resolve_store
from dcsim.tables import RunTables


def cluster_series(
    work: ClusterWork,
    replications: Sequence[RunTables],
    windows: Sequence[Window],
    bins: RunBins,
    probabilities: Sequence[float],
) -> Figures:
    """Series by section; one that is not simulated is missing.

    ``windows`` are those in which the cluster is measured, by replication; ``work`` is of the first.
    """
    tables = [one.cluster for one in replications]
    first, ended_at_s = tables[0], replications[0].ended_at_s
    found: Figures = {}
    if work.training:
        found["training"] = {
            name: training_series(one, tables, windows, bins) for name, one in work.training.items()
        }
    if "jobs" in first:
        jobs = [one["jobs"] for one in tables]
        found["jobs"] = jobs_series(jobs, windows, first["pool"], bins, probabilities)
    if "node_holdings" in first:
        found["cluster"] = {"nodes": nodes_series(first["node_holdings"])}
    if "failures" in first:
        found["failures"] = failure_series(first["failures"], ended_at_s, bins)
    if "links" in first:
        found["fabric"] = fabric_series(first, ended_at_s, bins)
    if "storage_load" in first:
        stores = [resolve_store(one, name) for name, one in work.scenario.cluster.storage.items()]
        found["storage"] = storage_series(stores, first, bins)
    return found
