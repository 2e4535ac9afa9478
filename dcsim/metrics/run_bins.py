"""Bins of time over a whole run, warm-up and drain included, such that the measured window is whole bins."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dcsim.metrics.columns import Array
from dcsim.metrics.window import Window
from dcsim.tables import RunTables

_FEWEST, _USUAL, _MOST = 200, 300, 400
_ROUNDING = 1e-9  # of a bin
_NO_TIME_S = 1.0  # what a run that took no time is drawn as: all its requests were turned away at once


@dataclass(frozen=True, slots=True)
class RunBins:
    """Equally long bins. The first may begin a little before time 0, and the last may end after the run."""

    span: Window
    num_bins: int

    @property
    def bin_s(self) -> float:
        """The length of a bin."""
        return self.span.duration_s / self.num_bins

    def edges_s(self) -> Array:
        """The edges of the bins."""
        return self.span.edges(self.num_bins)

    def starts(self, sorted_at_s: Array) -> npt.NDArray[np.int64]:
        """Where among ascending instants each bin begins, and where the last one ends."""
        inner = np.searchsorted(sorted_at_s, self.edges_s()[1:-1], side="left")
        return np.concatenate(([0], inner, [len(sorted_at_s)])).astype(np.int64)

    def counts(self, instants_s: Array) -> npt.NDArray[np.int64]:
        """How many instants lie in each bin; rounding may have put the first and the last outside."""
        return np.diff(self.starts(np.sort(instants_s)))


def run_bins(tables: RunTables, joint: Window) -> RunBins:
    """Some 300 bins from time 0 to the end of the run.

    Their length goes a whole number of times into the measured window, unless that is too small a part of
    the run, and is chosen so that the warm-up too is close to whole bins.
    """
    ended_at_s = max(joint.ended_at_s, tables.ended_at_s, *(one.ended_at_s for one in tables.values()))
    if ended_at_s <= 0.0:
        return RunBins(Window(0.0, _NO_TIME_S), 1)
    fewest, most = (math.ceil(num * joint.duration_s / ended_at_s) for num in (_FEWEST, _MOST - 2))
    found = [_around(joint, ended_at_s, num) for num in range(max(fewest, 1), most)]
    if not found:
        return RunBins(Window(0.0, ended_at_s), _USUAL)
    return min(found, key=lambda bins: (round(_overhang(bins), 3), abs(bins.num_bins - _USUAL)))


def _around(joint: Window, ended_at_s: float, num_within: int) -> RunBins:
    """The bins of which so many make up the window."""
    bin_s = joint.duration_s / num_within
    num_before = math.ceil(joint.started_at_s / bin_s - _ROUNDING)
    num_after = math.ceil((ended_at_s - joint.ended_at_s) / bin_s - _ROUNDING)
    started_at_s = joint.started_at_s - num_before * bin_s
    if abs(started_at_s) < _ROUNDING * bin_s:
        started_at_s = 0.0
    ended_at_s = max(joint.ended_at_s + num_after * bin_s, ended_at_s)
    return RunBins(Window(started_at_s, ended_at_s), num_before + num_within + num_after)


def _overhang(bins: RunBins) -> float:
    """The share of the first bin that lies before time 0."""
    return -bins.span.started_at_s / bins.bin_s
