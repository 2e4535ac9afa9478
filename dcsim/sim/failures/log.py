"""The log of failures: rows of the table ``failures``, completed when nodes come back."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from dcsim.catalog.reliability import Component
from dcsim.sim.failures.failure import Effect
from dcsim.tables.failures import FAILURES
from dcsim.tables.table import Table


@dataclass(slots=True)
class _Row:
    failed_at_s: float
    cause: str
    component: str
    effect: str
    node: int
    num_nodes: int
    num_hit: int
    num_down: int = 0
    repaired_at_s: float = float("nan")


@dataclass(slots=True)
class FailureLog:
    """One row for each failure and drain, in order of time."""

    _rows: list[_Row] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self._rows)

    def add(
        self,
        at_s: float,
        cause: str,
        component: Component | None,
        effect: Effect,
        nodes: tuple[int, ...],
        num_hit: int,
    ) -> int:
        """Write a row and return its number."""
        node = nodes[0] if nodes else -1
        self._rows.append(_Row(at_s, cause, str(component or ""), str(effect), node, len(nodes), num_hit))
        return len(self._rows) - 1

    def cause(self, row: int) -> str:
        """The cause of a row."""
        return self._rows[row].cause

    def node_left(self, row: int) -> None:
        """One more node of the row is down."""
        self._rows[row].num_down += 1

    def node_back(self, row: int, now_s: float) -> None:
        """One node of the row is back."""
        one = self._rows[row]
        one.num_down -= 1
        if one.num_down == 0:
            one.repaired_at_s = now_s

    def table(self) -> Table:
        """The rows as a table."""
        columns = {
            name: np.array([getattr(row, name) for row in self._rows], dtype=column.dtype)
            for name, column in FAILURES.items()
        }
        return Table(columns)
