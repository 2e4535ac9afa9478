"""The log of holdings: rows of the table ``node_holdings``."""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
import simpy

from dcsim.tables.holdings import MAX_HOLDINGS, NODE_HOLDINGS, HolderKind
from dcsim.tables.table import Table


class Holder(NamedTuple):
    """Somebody who has nodes: a kind, and the name or number of one of that kind."""

    kind: HolderKind
    name: str | int = ""


SPARE = Holder(HolderKind.SPARE)


_Held: TypeAlias = tuple[float, float, bool]  # from when, how many accelerators, whether it becomes a row


class HoldingLog:
    """Who has which nodes from when to when.

    The first ``most`` holdings to begin are rows, the others are only counted and summed up: memory is
    bounded however long a run is. Holdings that take no time are none.
    """

    def __init__(self, environment: simpy.Environment, *, most: int = MAX_HOLDINGS) -> None:
        self._environment, self._most = environment, most
        self._open: dict[Holder, dict[int, _Held]] = {}
        self._num_kept = 0  # rows, and what will be one
        self._holders: list[Holder] = []
        self._nodes = array("i")
        self._started_at_s, self._durations_s, self._counts = array("d"), array("d"), array("d")
        self._num_left_out, self._left_out_accelerator_s = 0, 0.0
        self._left_out_from_s = math.inf

    def begin(self, holder: Holder, node: int, num_accelerators: float) -> None:
        """It has accelerators of the node from now on; those of two parts on one node add up."""
        held = self._open.setdefault(holder, {})
        before = held.get(node)
        if before is not None:
            held[node] = (before[0], before[1] + num_accelerators, before[2])
            return
        is_kept = self._num_kept < self._most
        self._num_kept += is_kept
        held[node] = (self._environment.now, num_accelerators, is_kept)

    def end(self, holder: Holder, node: int) -> None:
        """It has no more of the node. Nothing happens if it had none."""
        held = self._open.get(holder)
        if held is None or node not in held:
            return
        self._write(holder, node, held.pop(node))
        if not held:
            del self._open[holder]

    def end_all(self, holder: Holder) -> None:
        """It has no node any more."""
        for node, held in self._open.pop(holder, {}).items():
            self._write(holder, node, held)

    def finish(self) -> Table:
        """End what is still held, and return the table, in order of the starts."""
        for holder in list(self._open):
            self.end_all(holder)
        names = {holder: str(holder.name) for holder in dict.fromkeys(self._holders)}  # one text for each
        columns: Mapping[str, Sequence[object]] = {
            "node": self._nodes,
            "kind": [str(holder.kind) for holder in self._holders],
            "holder": [names[holder] for holder in self._holders],
            "started_at_s": self._started_at_s,
            "duration_s": self._durations_s,
            "num_accelerators": self._counts,
            "num_holdings": [1] * len(self._holders),
        }
        order, rest = np.lexsort((self._nodes, self._started_at_s)), self._rest()
        found = {}
        for name, column in NODE_HOLDINGS.items():
            rows = np.array(columns[name], dtype=column.dtype)[order]
            found[name] = np.append(rows, np.array([row[name] for row in rest], dtype=column.dtype))
        return Table(found)

    def _write(self, holder: Holder, node: int, held: _Held) -> None:
        started_at_s, num_accelerators, is_kept = held
        duration_s = self._environment.now - started_at_s
        if duration_s <= 0.0:
            self._num_kept -= is_kept
        elif is_kept:
            self._holders.append(holder)
            self._nodes.append(node)
            self._started_at_s.append(started_at_s)
            self._durations_s.append(duration_s)
            self._counts.append(num_accelerators)
        else:
            self._num_left_out += 1
            self._left_out_accelerator_s += num_accelerators * duration_s
            self._left_out_from_s = min(self._left_out_from_s, started_at_s)

    def _rest(self) -> list[Mapping[str, object]]:
        """The row of what is left out; none if nothing is."""
        if not self._num_left_out:
            return []
        duration_s = self._environment.now - self._left_out_from_s
        return [
            {
                "node": -1,
                "kind": str(HolderKind.REST),
                "holder": "",
                "started_at_s": self._left_out_from_s,
                "duration_s": duration_s,
                "num_accelerators": self._left_out_accelerator_s / duration_s,
                "num_holdings": self._num_left_out,
            }
        ]


class Places:
    """What a holder has of each of its nodes, where others may take their places.

    A spare is used as much as the node that it stands in for.
    """

    def __init__(self, log: HoldingLog, holder: Holder, num_accelerators: Mapping[int, float]) -> None:
        self._log, self._holder = log, holder
        self._filled: dict[int, float] = {}
        self._vacant = dict(num_accelerators)

    def fill(self, node: int) -> None:
        """The node is the holder's: in its own place if that is vacant, else in the one vacant longest."""
        if node in self._filled or not self._vacant:
            return
        place = node if node in self._vacant else next(iter(self._vacant))
        self._filled[node] = self._vacant.pop(place)
        self._log.begin(self._holder, node, self._filled[node])

    def leave(self, node: int) -> float:
        """The node is not the holder's any more; how many accelerators of it were."""
        if node not in self._filled:
            return 0.0
        self._vacant[node] = self._filled.pop(node)
        self._log.end(self._holder, node)
        return self._vacant[node]
