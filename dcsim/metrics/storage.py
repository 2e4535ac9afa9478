"""What stores did in the measured window: bytes, use of bandwidth, capacity, rent and power."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from dcsim.formulas.storage import StoreLimits, holding_usd
from dcsim.metrics.columns import Array, Mask, floats, integers, is_within
from dcsim.metrics.figures import Figures, finite, ratio
from dcsim.metrics.window import Window
from dcsim.spec.storage import StoreDeployment
from dcsim.tables import Table
from dcsim.tables.storage import StorageOperation


def storage_figures(
    stores: Sequence[StoreDeployment], tables: Mapping[str, Table], window: Window
) -> Figures:
    """Figures by store, and of its cache under ``cache``, from ``storage_operations`` and ``storage_load``.

    The load is piecewise constant, so that bytes and shares are exact integrals over the window.
    """
    load, operations = tables["storage_load"], tables["storage_operations"]
    return {store.name: _store_figures(store, load, operations, window) for store in stores}


def _store_figures(store: StoreDeployment, load: Table, operations: Table, window: Window) -> Figures:
    use = _load_figures(load, store.name, store.limits, window)
    use.update(_transfer_figures(operations, store.name, window))
    held, peak = _held_bytes(load, store.name, window)
    use["used_bytes"], use["peak_used_bytes"] = finite(held), finite(peak)
    use["used_frac"] = ratio(held, store.limits.capacity_bytes) if _is_limited(store) else None
    use["rent_usd"] = finite(holding_usd(held, window.duration_s, store.usd_per_byte_s))
    use["energy_j"] = finite(store.power_w * window.duration_s)
    if store.cache is not None:
        use["cache"] = _load_figures(load, store.cache_name, store.cache, window)
    return use


def _is_limited(store: StoreDeployment) -> bool:
    """Whether the share of the capacity in use means something: one store, of a given size."""
    return math.isfinite(store.limits.capacity_bytes) and not store.limits.is_local


def _load_figures(load: Table, name: str, limits: StoreLimits, window: Window) -> Figures:
    """Bytes moved and the use of the bandwidth of one store or cache; None of a bandwidth without a limit."""
    is_unlimited = math.isinf(limits.reading.bytes_per_s) and math.isinf(limits.writing.bytes_per_s)
    rows = load["store"] == name
    inside_s = _inside_s(load, rows, window)
    share, whole_s = floats(load, "bandwidth_frac")[rows], window.duration_s
    busy = share[inside_s > 0.0]
    busy_s = float(inside_s[integers(load, "num_transfers")[rows] > 0].sum())
    return {
        "read_bytes": finite(float((floats(load, "read_bytes_per_s")[rows] * inside_s).sum())),
        "written_bytes": finite(float((floats(load, "write_bytes_per_s")[rows] * inside_s).sum())),
        "mean_bandwidth_frac": None if is_unlimited else ratio(float((share * inside_s).sum()), whole_s),
        "peak_bandwidth_frac": None if is_unlimited else finite(float(busy.max(initial=0.0))),
        "busy_frac": ratio(busy_s, whole_s),
    }


def _transfer_figures(operations: Table, name: str, window: Window) -> Figures:
    """Transfers that ended in the window, and how long they took."""
    figures: Figures = {}
    finished_at_s = floats(operations, "finished_at_s")
    ended = (operations["store"] == name) & is_within(finished_at_s, window.started_at_s, window.ended_at_s)
    duration_s = finished_at_s - floats(operations, "started_at_s")
    kind = integers(operations, "operation")
    for operation, what in ((StorageOperation.READ, "read"), (StorageOperation.WRITE, "write")):
        those = duration_s[ended & (kind == operation)]
        figures[f"num_{what}s"] = len(those)
        figures[f"mean_{what}_s"] = finite(float(those.mean())) if len(those) else None
        figures[f"max_{what}_s"] = finite(float(those.max())) if len(those) else None
    return figures


def _held_bytes(load: Table, name: str, window: Window) -> tuple[float, float]:
    """Capacity in use, mean over the window and most in it."""
    rows = load["store"] == name
    used_bytes, inside_s = floats(load, "used_bytes")[rows], _inside_s(load, rows, window)
    mean = float((used_bytes * inside_s).sum()) / window.duration_s if window.duration_s > 0.0 else 0.0
    return mean, float(used_bytes[inside_s > 0.0].max(initial=0.0))


def _inside_s(load: Table, rows: Mask | np.ndarray, window: Window) -> Array:
    """How much of each stretch of load lies within the window."""
    duration_s = floats(load, "duration_s")[rows]
    return duration_s * window.share_within(floats(load, "started_at_s")[rows], duration_s)
