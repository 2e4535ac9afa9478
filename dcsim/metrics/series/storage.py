"""Series of stores: load and capacity over time, and what their transfers were for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from dcsim.metrics.columns import floats, integers
from dcsim.metrics.figures import Figures
from dcsim.metrics.run_bins import RunBins
from dcsim.metrics.series.bins import bin_starts, mean_levels, plain
from dcsim.spec.storage import StoreDeployment
from dcsim.tables import Table
from dcsim.tables.storage import StorageOperation

_LEVELS = ("read_bytes_per_s", "write_bytes_per_s", "bandwidth_frac", "num_transfers", "used_bytes")
_CACHE_LEVELS = _LEVELS[:-1]


def storage_series(stores: Sequence[StoreDeployment], tables: Mapping[str, Table], bins: RunBins) -> Figures:
    """Series by store, of one replication."""
    return {one.name: _store_series(one, tables, bins) for one in stores}


def _store_series(store: StoreDeployment, tables: Mapping[str, Table], bins: RunBins) -> Figures:
    load, operations = tables["storage_load"], tables["storage_operations"]
    found: Figures = {
        "timeline": {**bin_starts(bins), **mean_levels(load, _LEVELS, bins, load["store"] == store.name)},
        "operations": _operations(operations, store.name),
    }
    if store.cache is not None:
        rows = load["store"] == store.cache_name
        found["cache"] = {"timeline": {**bin_starts(bins), **mean_levels(load, _CACHE_LEVELS, bins, rows)}}
    return found


def _operations(operations: Table, name: str) -> Figures:
    """Transfers by what they were for and their direction."""
    mine = operations["store"] == name
    label, kind = operations["label"].astype(str), integers(operations, "operation")
    taken_s = floats(operations, "finished_at_s") - floats(operations, "started_at_s")
    size = floats(operations, "num_bytes")
    groups = sorted(set(zip(label[mine].tolist(), kind[mine].tolist(), strict=True)))
    rows = [mine & (label == text) & (kind == number) for text, number in groups]
    ended = [one & ~np.isnan(taken_s) for one in rows]
    return {
        "label": [text for text, _ in groups],
        "operation": [StorageOperation(number).name.lower() for _, number in groups],
        "num_transfers": [int(one.sum()) for one in rows],
        "num_bytes": plain(size[one].sum() for one in rows),
        "mean_s": [float(taken_s[one].mean()) if one.any() else None for one in ended],
        "max_s": [float(taken_s[one].max()) if one.any() else None for one in ended],
    }
