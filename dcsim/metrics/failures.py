"""Failures in the measured window: how many, of what, and how long nodes were away."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dcsim.metrics.columns import floats, integers, is_within
from dcsim.metrics.figures import Figures, finite, ratio
from dcsim.metrics.window import Window
from dcsim.tables import Table

_STOP = "stop"


def failure_figures(failures: Table, window: Window) -> Figures:
    """Counts by cause and by effect, node-hours away, and the mean time between failures that stop something.

    A node that is not back when the window ends counts as away until then.
    """
    at_s = floats(failures, "failed_at_s")
    inside = is_within(at_s, window.started_at_s, window.ended_at_s)
    cause, effect = failures["cause"].astype(str), failures["effect"].astype(str)
    stops = inside & (effect == _STOP)
    back_at_s = np.nan_to_num(floats(failures, "repaired_at_s"), nan=window.ended_at_s)
    away_s = np.clip(np.minimum(back_at_s, window.ended_at_s) - at_s, 0.0, None)
    has_left = inside & (integers(failures, "node") >= 0) & (effect != "slow")
    node_s = float((away_s * integers(failures, "num_nodes"))[has_left].sum())
    return {
        "num_stops": int(stops.sum()),
        "num_nodes_away": finite(node_s / window.duration_s) if window.duration_s else None,
        "time_between_s": ratio(window.duration_s, int(stops.sum())),
        "num_by_cause": _counts(cause[stops]),
        "num_by_effect": _counts(effect[inside]),
    }


def _counts(names: npt.NDArray[np.str_]) -> Figures:
    return {str(name): int((names == name).sum()) for name in sorted(set(names))}
