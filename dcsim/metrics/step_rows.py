"""Rows of the table steps, engine by engine in order of time, a chunk at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dcsim.metrics.columns import Array, Integers, floats
from dcsim.tables import Table

Positions = Integers

CHUNK_ROWS = 16_384  # arrays that stay in the cache, yet cost far more than a numpy call


@dataclass(frozen=True, slots=True)
class StepRows:
    """A chunk of rows as float arrays. ``first`` is the position of its first row in engine order."""

    first: int
    started_at_s: Array
    duration_s: Array
    num_steps: Array
    num_decodes: Array
    decode_context_tokens: Array  # in the first step of the row
    num_prefill_tokens: Array
    num_prefill_chunks: Array
    prefill_pairs: Array
    prefill_square: Array
    prefill_context_tokens: Array
    num_sampled: Array
    num_used_blocks: Array

    def __len__(self) -> int:
        return len(self.started_at_s)


class OrderedSteps:
    """The table steps in order of engine and time. Positions below are places in that order."""

    def __init__(self, steps: Table) -> None:
        self._steps = steps
        self._order = _engine_order(steps)
        self.engine = self._take("engine", slice(None))
        ids, starts = np.unique(self.engine, return_index=True)
        self._bounds = {
            int(engine): (int(low), int(high))
            for engine, low, high in zip(ids, starts, np.append(starts, len(self.engine))[1:], strict=True)
        }

    def __len__(self) -> int:
        return len(self.engine)

    def column(self, name: str, positions: slice | Positions) -> Array:
        """One column at the positions, as floats."""
        return self._take(name, positions).astype(np.float64)

    def _take(self, name: str, positions: slice | Positions) -> npt.NDArray[np.generic]:
        if self._order is None:
            return self._steps[name][positions]
        return self._steps[name][self._order[positions]]

    def chunks(self, engines: range | None = None) -> Iterator[StepRows]:
        """The rows, or those of some engines that are numbered side by side, a chunk at a time."""
        names = [name for name in StepRows.__slots__ if name != "first"]
        first, beyond = 0, len(self)
        if engines is not None:
            first, beyond = np.searchsorted(self.engine, [engines.start, engines.stop]).tolist()
        for low in range(first, beyond, CHUNK_ROWS):
            at = slice(low, min(low + CHUNK_ROWS, beyond))
            yield StepRows(low, **{name: self.column(name, at) for name in names})

    def locate(self, engine: int, instants_s: Array) -> tuple[Positions, Array]:
        """The row of an engine that runs at each instant, and the share of it done by then.

        Between rows the last one is done; before the first one nothing is. An engine without rows has
        position 0 and share 0 for all instants.
        """
        low, high = self._bounds.get(engine, (0, 0))
        if low == high or len(instants_s) == 0:
            return np.zeros(len(instants_s), dtype=np.int64), np.zeros(len(instants_s))
        started_at_s = self.column("started_at_s", slice(low, high))
        at = np.maximum(np.searchsorted(started_at_s, instants_s, side="right") - 1, 0)
        positions = at.astype(np.int64) + low
        duration_s = self.column("duration_s", positions)
        elapsed_s = instants_s - started_at_s[at]
        share = np.divide(elapsed_s, duration_s, out=np.ones_like(elapsed_s), where=duration_s > 0)
        return positions, np.clip(share, 0.0, 1.0)


def _engine_order(steps: Table) -> npt.NDArray[np.int32] | None:
    """Places of the rows in order of engine and time; None if they already are in that order."""
    engine, started_at_s = np.asarray(steps["engine"], dtype=np.int32), floats(steps, "started_at_s")
    if len(engine) == 0:
        return None
    is_new = engine[1:] != engine[:-1]
    if bool(np.all((engine[1:] > engine[:-1]) | (~is_new & (started_at_s[1:] >= started_at_s[:-1])))):
        return None
    order = _stable_order(engine).astype(np.int32)
    is_later = started_at_s[order[1:]] >= started_at_s[order[:-1]]
    if bool(np.all(is_later | (engine[order[1:]] != engine[order[:-1]]))):
        return order
    return np.lexsort((started_at_s, engine)).astype(np.int32)


def _stable_order(engine: npt.NDArray[np.integer]) -> Positions:
    """Places in order of engine, equal ones as they stand."""
    has_few = len(engine) > 0 and int(engine.max()) < 2**15
    small = engine.astype(np.int16) if has_few else engine  # numpy sorts 16 bits by radix, much faster
    return np.argsort(small, kind="stable")


def engine_positions(
    steps: OrderedSteps, engine: npt.NDArray[np.int64], instants_s: Array
) -> tuple[Positions, Array]:
    """Row and share done for instants on many engines: :meth:`OrderedSteps.locate`, engine by engine."""
    positions = np.zeros(len(instants_s), dtype=np.int64)
    shares = np.zeros(len(instants_s))
    order = _stable_order(engine)
    ids, starts = np.unique(engine[order], return_index=True)
    for one, low, high in zip(ids, starts, np.append(starts, len(order))[1:], strict=True):
        chosen = order[low:high]
        positions[chosen], shares[chosen] = steps.locate(int(one), instants_s[chosen])
    return positions, shares
