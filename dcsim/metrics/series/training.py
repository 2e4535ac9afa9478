"""Series of a training job: what it did when, and where its time went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from dcsim.metrics.columns import Array, Integers, Mask, floats, integers
from dcsim.metrics.figures import Figure, Figures
from dcsim.metrics.run_bins import RunBins
from dcsim.metrics.series.bins import bin_starts, chosen_rows, plain, words
from dcsim.metrics.time_bins import BinnedSums
from dcsim.metrics.training import STRETCHES, belongs, training_figures
from dcsim.metrics.window import Window
from dcsim.spec.training.deployment import TrainingDeployment
from dcsim.tables import Table
from dcsim.tables.training import SpanKind

MAX_SPANS = 400
_MAX_LANES = 40  # trials of a sweep at a time
_RECOVERY = (
    SpanKind.DETECT,
    SpanKind.DIAGNOSE,
    SpanKind.WAIT,
    SpanKind.SWAP,
    SpanKind.INITIALIZE,
    SpanKind.RESTORE,
    SpanKind.WARMUP,
)
_PREPARATION = (SpanKind.STAGING, SpanKind.RESHUFFLE)

Tables = Mapping[str, Table]


def training_series(
    job: TrainingDeployment, replications: Sequence[Tables], windows: Sequence[Window], bins: RunBins
) -> Figures:
    """Spans and timeline of the first replication, and the waterfall of the summary's window, of all."""
    spans = replications[0]["training_spans"]
    mine = chosen_rows(spans, belongs(spans, job.name))
    return {
        "spans": _gantt(mine),
        "waterfall": _waterfall(job, replications, windows),
        "timeline": {**bin_starts(bins), **_timeline(mine, job.tokens_per_step, bins)},
    }


def _gantt(spans: Table) -> Figures:
    """The spans as bars: those that begin close together are drawn as one, named after its longest kind."""
    lanes, lane_of = np.unique(spans["job"].astype(str), return_inverse=True)
    shown = lane_of < _MAX_LANES
    lane, spans = lane_of[shown].astype(np.int64), chosen_rows(spans, shown)
    started_at_s, duration_s = floats(spans, "started_at_s"), floats(spans, "duration_s")
    first = _first_of_bars(lane, started_at_s, duration_s)
    bar = np.cumsum(first) - 1
    num_bars = int(bar[-1]) + 1 if len(bar) else 0
    whole_s = np.bincount(bar, weights=duration_s, minlength=num_bars)
    useful_s = duration_s - floats(spans, "checkpoint_s")
    useful_s -= sum(floats(spans, f"{name}_s") for name in STRETCHES)
    is_productive = spans["kind"].astype(str) == str(SpanKind.PRODUCTIVE)
    productive_s = np.bincount(bar, weights=np.where(is_productive, useful_s, 0.0), minlength=num_bars)
    longest = _longest(bar, duration_s)
    return {
        "job": words(spans["job"][first]),
        "kind": words(spans["kind"][longest]),
        "cause": words(_cause(spans, bar, num_bars)),
        "started_at_s": plain(started_at_s[first]),
        "duration_s": plain(whole_s),
        "productive_frac": plain(np.divide(productive_s, whole_s, out=np.zeros(num_bars), where=whole_s > 0)),
        "num_spans": np.bincount(bar, minlength=num_bars).tolist(),
        "num_jobs_left_out": max(len(lanes) - _MAX_LANES, 0),
    }


def _first_of_bars(lane: Integers, started_at_s: Array, duration_s: Array) -> Mask:
    """Which spans, in order of lane and time, begin a bar: all of them if there are few.

    Else time is cut into so many cells that the bars are few enough, and a span that begins in the same
    cell as the one before belongs to its bar; what is longer than a cell stays as it is.
    """
    if len(lane) <= MAX_SPANS:
        return np.full(len(lane), True)
    num_cells = MAX_SPANS // (int(lane.max()) + 1)
    ended_at_s = float((started_at_s + duration_s).max())
    cell = np.minimum((started_at_s / ended_at_s * num_cells).astype(np.int64), num_cells - 1)
    first = np.full(len(lane), True)
    first[1:] = (cell[1:] != cell[:-1]) | (lane[1:] != lane[:-1])
    return first


def _longest(bar: Integers, duration_s: Array) -> Integers:
    """For each bar the row of its longest span."""
    order = np.lexsort((duration_s, bar))
    is_last = np.append(bar[order][1:] != bar[order][:-1], True)[: len(order)]
    rows: Integers = order[is_last]
    return rows


def _cause(spans: Table, bar: Integers, num_bars: int) -> list[str]:
    """For each bar the cause of the longest of its spans that have one."""
    cause = spans["cause"].astype(str)
    has_cause = np.flatnonzero(cause != "")
    found = [""] * num_bars
    for row in has_cause[np.argsort(floats(spans, "duration_s")[has_cause], kind="stable")].tolist():
        found[int(bar[row])] = str(cause[row])
    return found


def _waterfall(job: TrainingDeployment, replications: Sequence[Tables], windows: Sequence[Window]) -> Figures:
    """From the wall time down to what useful steps take undisturbed: means over replications."""
    found = [
        training_figures(job, tables, window) for tables, window in zip(replications, windows, strict=True)
    ]
    lost = [one["lost_s"] for one in found]
    parts: dict[str, float] = {}
    for one in lost:
        assert isinstance(one, dict)
        for name, value_s in one.items():
            parts[name] = parts.get(name, 0.0) + _number(value_s) / len(found)
    ordered = sorted((name for name, value_s in parts.items() if value_s > 0.0), key=lambda n: -parts[n])
    return {
        "wall_s": sum(_number(one["wall_s"]) for one in found) / len(found),
        "productive_s": sum(_number(one["productive_s"]) for one in found) / len(found),
        "part": list(ordered),
        "part_s": [parts[name] for name in ordered],
    }


def _number(figure: Figure) -> float:
    return float(figure) if isinstance(figure, int | float) else 0.0


def _timeline(spans: Table, tokens_per_step: int, bins: RunBins) -> Figures:
    """Shares of the time of each bin, of which what is missing lies before the start or after the end."""
    kind = spans["kind"].astype(str)
    duration_s, checkpoint_s = floats(spans, "duration_s"), floats(spans, "checkpoint_s")
    disturbed_s = sum((floats(spans, f"{name}_s") for name in STRETCHES), np.zeros(len(spans)))
    is_productive = kind == str(SpanKind.PRODUCTIVE)
    counted_steps = np.where(is_productive, floats(spans, "num_steps"), 0.0)
    sums = BinnedSums(bins.edges_s())
    sums.add(
        floats(spans, "started_at_s"),
        duration_s,
        {
            "productive": np.where(is_productive, duration_s - checkpoint_s - disturbed_s, 0.0),
            "disturbed": np.where(is_productive, disturbed_s, 0.0),
            "checkpoint": checkpoint_s,
            "lost": np.where(kind == str(SpanKind.LOST), duration_s - checkpoint_s, 0.0),
            "recovery": np.where(np.isin(kind, [str(one) for one in _RECOVERY]), duration_s, 0.0),
            "preparation": np.where(np.isin(kind, [str(one) for one in _PREPARATION]), duration_s, 0.0),
            "queue": np.where(kind == str(SpanKind.QUEUE), duration_s, 0.0),
            "tokens": counted_steps * tokens_per_step,
            "accelerators": integers(spans, "num_accelerators") * duration_s,
        },
    )
    num_lanes = max(len(set(spans["job"].astype(str))), 1)
    shares = ("productive", "disturbed", "checkpoint", "lost", "recovery", "preparation", "queue")
    return {
        **{f"{name}_frac": plain(sums.bins(name) / (bins.bin_s * num_lanes)) for name in shares},
        "tokens_per_s": plain(sums.bins("tokens") / bins.bin_s),
        "num_accelerators": plain(sums.bins("accelerators") / bins.bin_s),
    }
