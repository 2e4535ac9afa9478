"""What serving lent to jobs in the measured window, and how many replicas were on meanwhile."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from dcsim.metrics.columns import Array, Mask, floats, integers
from dcsim.metrics.figures import Figures, finite, ratio
from dcsim.metrics.window import Window
from dcsim.tables import Table
from dcsim.tables.lending import LoanEnd
from dcsim.units import SECONDS_PER_HOUR


def lending_figures(tables: Mapping[str, Table], num_replicas: Mapping[str, int], window: Window) -> Figures:
    """Figures of nodes lent, and of each served model that lends, given how many replicas it has."""
    loans, pauses = tables["lending"], tables["replica_pauses"]
    started_at_s, ended_at_s = floats(loans, "started_at_s"), floats(loans, "ended_at_s")
    stretches = np.stack([integers(loans, "node"), started_at_s], axis=1)  # by served model
    one_each = np.unique(stretches, axis=0, return_index=True)[1]
    started_at_s, ended_at_s = started_at_s[one_each], ended_at_s[one_each]
    lent_s = _seconds_within(started_at_s, ended_at_s, window)
    is_taken_back = loans["ended_by"][one_each].astype(str) == str(LoanEnd.TAKEN_BACK)
    are_taken_back = _are_within(ended_at_s, window) & is_taken_back
    return {
        "node_h": finite(lent_s / SECONDS_PER_HOUR),
        "num_nodes": {"mean": ratio(lent_s, window.duration_s)},
        "num_loans": int(_are_within(started_at_s, window).sum()),
        "num_take_backs": int(are_taken_back.sum()),
        "num_preempted": int(integers(loans, "num_preempted")[one_each][are_taken_back].sum()),
        "by_workload": {name: _pauses(pauses, name, count, window) for name, count in num_replicas.items()},
    }


def lent_accelerator_s(tables: Mapping[str, Table], workload: str, window: Window) -> float:
    """Accelerator-seconds in the window that jobs could have of a served model's."""
    if "lending" not in tables:
        return 0.0
    loans = tables["lending"]
    mine = loans["workload"].astype(str) == workload
    within_s = _within_s(floats(loans, "started_at_s")[mine], floats(loans, "ended_at_s")[mine], window)
    return float((floats(loans, "num_accelerators")[mine] * within_s).sum())


def _pauses(pauses: Table, name: str, num_replicas: int, window: Window) -> Figures:
    mine = pauses["workload"].astype(str) == name
    asked_at_s, off_at_s, wanted_at_s, serving_at_s = (
        floats(pauses, column)[mine] for column in ("asked_at_s", "off_at_s", "wanted_at_s", "serving_at_s")
    )
    was_off = ~np.isnan(off_at_s)
    off_s = _seconds_within(off_at_s[was_off], serving_at_s[was_off], window)
    off_frac = ratio(off_s, window.duration_s)
    inside = _are_within(asked_at_s, window)
    return {
        "num_replicas_on": {"mean": None if off_frac is None else num_replicas - off_frac},
        "num_pauses": int(inside.sum()),
        "finish_s": _mean(off_at_s - asked_at_s, inside),
        "return_s": _mean(serving_at_s - wanted_at_s, inside & was_off),
    }


def _seconds_within(started_at_s: Array, ended_at_s: Array, window: Window) -> float:
    """Sum of the stretches within the window."""
    return float(_within_s(started_at_s, ended_at_s, window).sum())


def _within_s(started_at_s: Array, ended_at_s: Array, window: Window) -> Array:
    """How much of each stretch lies within the window; one without an end lasts beyond it."""
    low = np.maximum(started_at_s, window.started_at_s)
    high = np.fmin(ended_at_s, window.ended_at_s)
    within_s: Array = np.maximum(high - low, 0.0)
    return within_s


def _are_within(instants_s: Array, window: Window) -> Mask:
    """Which instants lie in the window, its start included and not its end: lending may begin at 0."""
    inside: Mask = (instants_s >= window.started_at_s) & (instants_s < window.ended_at_s)
    return inside


def _mean(values: Array, inside: Mask) -> float | None:
    """Mean of the values that are known."""
    known = values[inside & ~np.isnan(values)]
    return float(known.mean()) if len(known) else None
