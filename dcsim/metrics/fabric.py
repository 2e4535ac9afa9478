"""What the fabric carried in the measured window: bytes, use of links, transfers."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from dcsim.metrics.columns import floats, integers, is_within
from dcsim.metrics.figures import Figures, finite, ratio
from dcsim.metrics.window import Window
from dcsim.tables import Table


def fabric_figures(tables: Mapping[str, Table], window: Window) -> Figures:
    """Use of links as means over the window, and the transfers that ended in it.

    ``mean_utilization_frac`` is over all links that carried anything, ``max_utilization_frac`` of the
    busiest, ``peak_utilization_frac`` of the busiest link in its busiest bin of time.
    """
    links, loads, transfers = tables["links"], tables["link_loads"], tables["transfers"]
    capacity = floats(links, "bytes_per_s")
    started_at_s, duration_s = floats(loads, "started_at_s"), floats(loads, "duration_s")
    inside = floats(loads, "num_bytes") * window.share_within(started_at_s, duration_s)
    link = integers(loads, "link")
    carried = np.bincount(link, weights=inside, minlength=len(capacity)).astype(np.float64)  # whole if none
    use = np.divide(carried, capacity * window.duration_s, out=np.zeros_like(carried), where=capacity > 0)
    peaks = floats(loads, "num_bytes") / np.maximum(capacity[link] * duration_s, 1e-300)
    used = use[carried > 0]
    finished_at_s = floats(transfers, "finished_at_s")
    ended = is_within(finished_at_s, window.started_at_s, window.ended_at_s)
    taken_s = (finished_at_s - floats(transfers, "started_at_s"))[ended]
    return {
        "carried_bytes": finite(float(carried.sum())),
        "num_links_used": len(used),
        "mean_utilization_frac": finite(float(used.mean())) if len(used) else None,
        "max_utilization_frac": finite(float(used.max())) if len(used) else None,
        "peak_utilization_frac": finite(float(peaks.max())) if len(peaks) else None,
        "num_transfers": int(ended.sum()),
        "mean_transfer_s": ratio(float(taken_s.sum()), len(taken_s)),
        "stalled_s": finite(float(floats(transfers, "stalled_s").sum())),
    }
