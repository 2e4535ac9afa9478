"""Histograms with logarithmic bins, of durations and of numbers of tokens."""

from __future__ import annotations

import numpy as np

from dcsim.formulas.estimation import percentile
from dcsim.metrics.columns import Array, Integers
from dcsim.metrics.figures import Figures

_NUM_BINS = 60
_LOWEST_QUANTILE = 1e-4  # where the first bin begins: one odd request must not stretch the axis
_SHORTEST_S = 1e-6  # what lasts less is rounding, and counts as zero
_LEAST_RATIO = 1.01  # of the last edge to the first, so that equal values have a bin


def duration_histogram(durations_s: Array) -> Figures:
    """Counts in sixty bins from the 0.01st percentile to the maximum.

    What is shorter lies in the first bin, but for durations of zero, which have a count of their own.
    """
    positive_s = durations_s[durations_s >= _SHORTEST_S]
    num_zero = len(durations_s) - len(positive_s)
    (low_s,) = percentile(positive_s, [_LOWEST_QUANTILE])
    if low_s is None:
        return {"edges": [], "counts": [], "num_zero": num_zero}
    edges = np.geomspace(low_s, max(float(positive_s.max()), low_s * _LEAST_RATIO), _NUM_BINS + 1)
    return {**_counted(positive_s, edges), "num_zero": num_zero}


def count_histogram(counts: Integers) -> Figures:
    """Counts of whole numbers in at most sixty bins from the least to beyond the largest; edges are whole."""
    if not len(counts):
        return {"edges": [], "counts": []}
    low, beyond = int(counts.min()), int(counts.max()) + 1
    edges = np.unique(np.round(np.geomspace(max(low, 1), beyond, _NUM_BINS + 1)).astype(np.int64))
    return _counted(counts, edges if low > 0 else np.concatenate(([0], edges)))


def _counted(values: Array | Integers, edges: Array | Integers) -> Figures:
    """How many values lie from each edge up to the next; the last bin holds its end too."""
    inner = np.searchsorted(edges[1:-1], values, side="right")
    return {"edges": edges.tolist(), "counts": np.bincount(inner, minlength=len(edges) - 1).tolist()}
