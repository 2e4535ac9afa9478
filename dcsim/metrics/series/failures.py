"""Series of failures: the log, shortened, and counts over time."""

from __future__ import annotations

import numpy as np

from dcsim.metrics.columns import Array, floats, integers
from dcsim.metrics.figures import Figures
from dcsim.metrics.run_bins import RunBins
from dcsim.metrics.series.bins import bin_starts, chosen_rows, plain, words
from dcsim.metrics.time_bins import BinnedSums
from dcsim.tables import Table

MAX_ROWS = 500
_STOP, _SLOW = "stop", ("slow", "slow_found")


def failure_series(failures: Table, ended_at_s: float, bins: RunBins) -> Figures:
    """Of one replication: the failures that hit the most, in order of time, and how many there were when."""
    hits = integers(failures, "num_hit") > 0
    stops = failures["effect"].astype(str) == _STOP
    order = np.lexsort((~stops, ~hits))  # those that hit a job or a replica, then those that stop, first
    shown = chosen_rows(failures, np.sort(order[:MAX_ROWS]))
    return {
        "log": {
            **{name: plain(floats(shown, name)) for name in ("failed_at_s", "repaired_at_s")},
            **{name: words(shown[name]) for name in ("cause", "component", "effect")},
            **{name: integers(shown, name).tolist() for name in ("node", "num_nodes", "num_hit")},
            "num_left_out": len(failures) - len(shown),
        },
        "timeline": {**bin_starts(bins), **_timeline(failures, ended_at_s, bins)},
    }


def _timeline(failures: Table, ended_at_s: float, bins: RunBins) -> Figures:
    failed_at_s, effect = floats(failures, "failed_at_s"), failures["effect"].astype(str)
    stops, slows = effect == _STOP, np.isin(effect, _SLOW)
    sums = BinnedSums(bins.edges_s())
    away_s = _away_s(failures, ended_at_s)
    node_s = away_s * integers(failures, "num_nodes")
    sums.add(failed_at_s, away_s, {"node_s": node_s})
    return {
        "num_stops": bins.counts(failed_at_s[stops]).tolist(),
        "num_slow": bins.counts(failed_at_s[slows]).tolist(),
        "num_planned": bins.counts(failed_at_s[~stops & ~slows]).tolist(),
        "num_nodes_away": plain(sums.bins("node_s") / bins.bin_s),
    }


def _away_s(failures: Table, ended_at_s: float) -> Array:
    """How long the nodes of each row were away, to the end of the run at most; 0 where none left."""
    failed_at_s = floats(failures, "failed_at_s")
    back_at_s = np.nan_to_num(floats(failures, "repaired_at_s"), nan=ended_at_s)
    has_left = (integers(failures, "node") >= 0) & (failures["effect"].astype(str) != _SLOW[0])
    return np.where(has_left, np.clip(np.minimum(back_at_s, ended_at_s) - failed_at_s, 0.0, None), 0.0)
