"""Inter-token latency: the gaps between successive tokens, as a distribution over tokens, from the steps.

Tokens are not stored. A step with d decodes ends d gaps of its own length, and
- in a jump the length grows by the same amount from step to step: it is spread over the steps;
- after steps without decodes (``prefill_first``) the first gap reaches back over those steps, to the last
  step with decodes, or to the step that ended the sequence's own prompt;
- the gap over a preemption stands in the table of preemptions.
The mean is exact. Percentiles come from a mergeable sketch of logarithmic bins, each with the mean of what
lies in it: they are off by less than the width of a bin, 0.1 %, and exact where a bin holds one value.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from dcsim.formulas.estimation import weighted_percentile
from dcsim.metrics.columns import Array, floats
from dcsim.metrics.figures import Figure, finite
from dcsim.metrics.kv_transfers import FirstGaps
from dcsim.metrics.latency import QUANTILES
from dcsim.metrics.step_cost import RowCosts
from dcsim.metrics.step_rows import OrderedSteps, Positions, StepRows
from dcsim.metrics.window import NUM_BATCHES, Window
from dcsim.tables import Table

_SHORTEST_S = 1e-6
_BIN_WIDTH = 1e-3  # of the logarithm: 0.1 %
_NUM_GAP_BINS = int(math.log(1e12) / _BIN_WIDTH)  # up to 1e6 s
_NUM_SPREAD = 8  # values that stand for the steps of a jump


class GapSketch:
    """Gaps with weights, in logarithmic bins and batches of time."""

    def __init__(self) -> None:
        self._weights = np.zeros((NUM_BATCHES, _NUM_GAP_BINS))
        self._sums = np.zeros((NUM_BATCHES, _NUM_GAP_BINS))
        self._longest_s = np.zeros(NUM_BATCHES)

    def add(self, gaps_s: Array, weights: Array, batches: Positions) -> None:
        """Add gaps; those of weight 0 leave no trace."""
        kept = weights > 0
        if not kept.all():
            gaps_s, weights, batches = gaps_s[kept], weights[kept], batches[kept]
        logarithm = np.log(np.maximum(gaps_s, _SHORTEST_S) / _SHORTEST_S)
        at = np.minimum((logarithm / _BIN_WIDTH).astype(np.int64), _NUM_GAP_BINS - 1)
        at += batches * _NUM_GAP_BINS
        if len(at):
            _accumulate(self._weights.ravel(), at, weights)
            _accumulate(self._sums.ravel(), at, weights * gaps_s)
        np.maximum.at(self._longest_s, batches, gaps_s)

    def figures(self, first: int = 0, beyond: int = NUM_BATCHES) -> dict[str, Figure]:
        """The distribution over the batches from ``first`` up to, not including, ``beyond``."""
        weights = self._weights[first:beyond].sum(axis=0)
        sums = self._sums[first:beyond].sum(axis=0)
        if not weights.any():
            return dict.fromkeys(("mean", *QUANTILES, "max"))
        found = _percentiles(sums, weights, list(QUANTILES.values()))
        figures: dict[str, Figure] = {"mean": finite(sums.sum() / weights.sum())}
        figures.update(zip(QUANTILES, found, strict=True))
        figures["max"] = finite(self._longest_s[first:beyond].max())
        return figures

    def percentiles(self, quantiles: Sequence[float]) -> list[float | None]:
        """Percentiles over all batches."""
        return _percentiles(self._sums.sum(axis=0), self._weights.sum(axis=0), quantiles)


def _percentiles(sums: Array, weights: Array, quantiles: Sequence[float]) -> list[float | None]:
    used = weights > 0
    return weighted_percentile(sums[used] / weights[used], weights[used], quantiles)


def _accumulate(sums: Array, at: Positions, values: Array) -> None:
    """Add values to sums at places, touching only the stretch of places in use."""
    low = int(at.min())
    found = np.bincount(at - low, weights=values)
    sums[low : low + len(found)] += found


class GapMeter:
    """Collects the gaps of one workload in one window."""

    def __init__(
        self,
        steps: OrderedSteps,
        window: Window,
        num_without_gap: npt.NDArray[np.int64],
        first_gaps: FirstGaps,
    ) -> None:
        """Start with no gaps.

        ``num_without_gap`` counts, for each row in engine order, the sequences with a token at its end that
        do not decode in the rows that follow; ``first_gaps`` are those that began on another engine.
        """
        self._first_gaps = first_gaps
        self.sketch = GapSketch()
        self._steps = steps
        self._window = window
        self._num_without_gap = num_without_gap

    def add(self, rows: StepRows, costs: RowCosts) -> None:
        """Add the gaps that end in a chunk of rows."""
        growth_s = costs.context_slope_s * rows.num_decodes  # from each step to the next
        mean_s = rows.duration_s / np.maximum(rows.num_steps, 1.0)
        first_s = mean_s - growth_s * (rows.num_steps - 1.0) / 2.0
        share, batch = self._when(rows.started_at_s, rows.duration_s)
        num_rest, rest_mean_s = rows.num_steps.copy(), mean_s.copy()
        places, first_token_at_s = self._first_gaps.within(rows.first, len(rows))
        num_joined = np.bincount(places, minlength=len(rows)).astype(np.float64)
        is_apart = num_joined > 0  # rows whose first step is not like the others
        if len(places):
            gaps_s = rows.started_at_s[places] + first_s[places] - first_token_at_s
            self.sketch.add(gaps_s, share[places], batch[places])
        stalled = self._stalled(rows)
        if len(stalled):
            num_left = rows.num_decodes[stalled] - num_joined[stalled]
            ends_s = rows.started_at_s[stalled] + first_s[stalled]
            self._add_stalls(stalled + rows.first, num_left, ends_s, share[stalled], batch[stalled])
            is_apart[stalled] = True
            num_joined[stalled] = rows.num_decodes[stalled]
        apart = np.flatnonzero(is_apart)
        if len(apart):
            weight = (rows.num_decodes[apart] - num_joined[apart]) * share[apart]
            self.sketch.add(first_s[apart], weight, batch[apart])
            num_rest[apart] -= 1.0
            rest_mean_s[apart] += growth_s[apart] / 2.0
        self._add_jumps(rest_mean_s, growth_s, num_rest, rows.num_decodes * share, batch)

    def _when(self, started_at_s: Array, duration_s: Array) -> tuple[Array, Positions]:
        """The share of each row inside the window, and its batch."""
        low = np.maximum(started_at_s, self._window.started_at_s)
        high = np.minimum(started_at_s + duration_s, self._window.ended_at_s)
        return self._window.share_within(started_at_s, duration_s), self._batch((low + high) / 2.0)

    def _batch(self, instants_s: Array) -> Positions:
        scale = NUM_BATCHES / max(self._window.duration_s, 1e-12)
        at = (instants_s - self._window.started_at_s) * scale
        return np.clip(at, 0, NUM_BATCHES - 1).astype(np.int64)

    def _add_jumps(
        self, mean_s: Array, growth_s: Array, num_steps: Array, weight: Array, batch: Positions
    ) -> None:
        """Add steps whose lengths rise evenly about a mean, as up to eight values with the same mean."""
        num_values = np.minimum(num_steps, _NUM_SPREAD)
        single = num_steps == 1.0
        self.sketch.add(mean_s[single], weight[single], batch[single])
        several = np.flatnonzero(num_steps > 1.0)
        for index in range(_NUM_SPREAD):
            chosen = several[num_values[several] > index]
            if not len(chosen):
                break
            place = (index + 0.5) / num_values[chosen] - 0.5  # -1/2 .. 1/2 along the jump
            gaps_s = mean_s[chosen] + growth_s[chosen] * num_steps[chosen] * place
            self.sketch.add(gaps_s, weight[chosen] * num_steps[chosen] / num_values[chosen], batch[chosen])

    def _stalled(self, rows: StepRows) -> npt.NDArray[np.intp]:
        """Rows of the chunk that decode, right after a row of their engine that did not."""
        low = max(rows.first - 1, 0)
        at = slice(low, rows.first + len(rows))
        num_decodes, engine = self._steps.column("num_decodes", at), self._steps.engine[at]
        follows = (num_decodes[1:] > 0) & (num_decodes[:-1] == 0) & (engine[1:] == engine[:-1])
        return np.flatnonzero(follows) + (1 + low - rows.first)

    def _add_stalls(
        self, positions: Positions, num_left: Array, ended_at_s: Array, share: Array, batch: Positions
    ) -> None:
        """Add the first gaps of stalled rows: back to the sequences' own prompts, or decodes.

        Of each row there are given its position, the sequences whose gaps are looked for, the end of its
        first step, its share inside the window and its batch.
        """
        at = positions - 1  # the row looked at, ever further back
        active = np.arange(len(positions))
        while len(active):
            place = at[active].astype(np.int64)
            row_end_s = self._steps.column("started_at_s", place) + self._steps.column("duration_s", place)
            num_decodes = self._steps.column("num_decodes", place)
            num_fresh = self._steps.column("num_sampled", place) - self._num_without_gap[place]
            is_first = place == 0
            is_first |= self._steps.engine[place - 1] != self._steps.engine[place]
            is_last = (num_decodes > 0) | is_first
            taken = np.where(is_last, num_left[active], np.clip(num_fresh, 0.0, num_left[active]))
            self.sketch.add(ended_at_s[active] - row_end_s, taken * share[active], batch[active])
            num_left[active] -= taken
            at[active] -= 1
            active = active[~is_last & (num_left[active] > 0)]

    def add_preemptions(self, preemptions: Table) -> None:
        """Add the gaps over preemptions that ended in the window: one for each token that was held up."""
        next_at_s, last_at_s = floats(preemptions, "next_token_at_s"), floats(preemptions, "last_token_at_s")
        is_gap = np.isfinite(next_at_s) & np.isfinite(last_at_s)
        is_gap &= (next_at_s >= self._window.started_at_s) & (next_at_s <= self._window.ended_at_s)
        # several preemptions before one token make one gap
        pairs = np.unique(
            np.stack([floats(preemptions, "request")[is_gap], next_at_s[is_gap]]), axis=1, return_index=True
        )[1]
        ended_at_s, gaps_s = next_at_s[is_gap][pairs], (next_at_s - last_at_s)[is_gap][pairs]
        if len(gaps_s):
            self.sketch.add(gaps_s, np.ones(len(gaps_s)), self._batch(ended_at_s))
