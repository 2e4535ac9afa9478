"""Several replications, or batches of one, combined: means and 95 % half-widths."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from dcsim.formulas.estimation import half_width
from dcsim.metrics.figures import Figure, Figures, leaves, put

_NOT_SAMPLED = ("explain", "window")  # a breakdown, and a place in time
# totals over the window and counts have no batch means: a batch holds a part of them, not a sample
_TOTALS = ("_j", "_usd", "_kg", "duration_s")
_NONE_COUNTED = 0  # of what only some replications name, such as a cause of failures
_FEWEST_BEYOND = {
    "p50": 2,
    "p90": 10,
    "p95": 20,
    "p99": 100,
}  # requests that a percentile needs: one beyond it


def mean_figures(replications: Sequence[Figures]) -> Figures:
    """Each figure's mean over replications; None where any has none. One replication stays as it is."""
    if len(replications) == 1:
        return replications[0]
    return _mean_of(replications)


def _mean_of(replications: Sequence[Mapping[str, Figure]]) -> Figures:
    means: Figures = {}
    for key in dict.fromkeys(key for one in replications for key in one):
        values = [one.get(key, _NONE_COUNTED) for one in replications]
        first = next(value for one, value in zip(replications, values, strict=True) if key in one)
        if isinstance(first, dict):
            means[key] = _mean_of([value for value in values if isinstance(value, dict)])
            continue
        numbers = [value for value in values if _is_number(value)]
        if numbers and len(numbers) == len(values):
            means[key] = math.fsum(numbers) / len(numbers)  # type: ignore[arg-type]
        else:
            means[key] = first if all(value == first for value in values) else None
    return means


def replication_intervals(replications: Sequence[Figures]) -> Figures:
    """Half-widths over independent replications, under the figures' own paths."""
    return _half_widths(replications)


def replication_values(replications: Sequence[Figures]) -> Figures:
    """Each number's value in every replication as a list, under the figures' own paths.

    None stands where a replication lacks the number. Explanations and windows are left out.

    >>> replication_values([{"cost": {"usd": 1.0, "kind": "owned"}}, {"cost": {"usd": 3.0, "kind": "owned"}}])
    {'cost': {'usd': [1.0, 3.0]}}
    """
    flat = [dict(leaves(one)) for one in replications]
    found: Figures = {}
    for path in dict.fromkeys(path for one in flat for path in one):
        values = [one.get(path) for one in flat]
        if any(map(_is_number, values)) and not set(path) & set(_NOT_SAMPLED):
            put(found, path, [value if _is_number(value) else None for value in values])
    return found


def batch_intervals(batches: Sequence[Figures], num_requests_per_batch: Mapping[str, int]) -> Figures:
    """Half-widths over time-ordered batches of one replication, for figures of which a batch is a sample."""
    intervals: Figures = {}
    for path, width in leaves(_half_widths(batches)):
        if path[-1] == "max" or path[-1].startswith("num_") or path[-1].endswith(_TOTALS):
            continue
        fewest = _FEWEST_BEYOND.get(path[-1])
        if fewest is not None and path[-2] != "itl_s" and num_requests_per_batch[path[1]] < fewest:
            continue
        put(intervals, path, width)
    return intervals


def _half_widths(samples: Sequence[Figures]) -> Figures:
    flat = [dict(leaves(one)) for one in samples]
    intervals: Figures = {}
    for path in flat[0]:
        values = [one.get(path) for one in flat]
        if all(_is_number(value) for value in values):
            width = half_width(values)  # type: ignore[arg-type]
            if width is not None:
                put(intervals, path, width)
    return intervals


def _is_number(value: Figure) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
