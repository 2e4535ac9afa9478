"""What lending writes: a row for each time that a node was lent, and for each pause of a replica."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, field

import numpy as np

from dcsim.tables import Column, Table
from dcsim.tables.lending import LENDING, REPLICA_PAUSES, LoanEnd


@dataclass(slots=True)
class Loan:
    """A served model's part of a node that works for jobs."""

    node: int
    workload: str
    num_accelerators: float
    started_at_s: float
    ended_at_s: float = math.nan
    ended_by: LoanEnd = LoanEnd.OPEN
    num_preempted: int = 0


@dataclass(slots=True)
class Pause:
    """A replica that is switched off, or about to be."""

    workload: str
    replica: int
    asked_at_s: float
    off_at_s: float = math.nan
    wanted_at_s: float = math.nan
    serving_at_s: float = math.nan


@dataclass(slots=True)
class LendingLog:
    """Loans and pauses, in the order in which they began."""

    _loans: list[Loan] = field(default_factory=list)
    _pauses: list[Pause] = field(default_factory=list)

    def lend(self, node: int, parts: Mapping[str, float], now_s: float) -> list[Loan]:
        """Jobs can have a node from now on; ``parts`` are its accelerators by served model."""
        loans = [Loan(node, workload, count, now_s) for workload, count in parts.items()]
        self._loans += loans
        return loans

    def pause(self, workload: str, replica: int, now_s: float) -> Pause:
        """A replica takes no new requests from now on."""
        self._pauses.append(Pause(workload, replica, now_s))
        return self._pauses[-1]

    def tables(self) -> dict[str, Table]:
        """What was written, by name of the table."""
        return {
            "lending": _table(LENDING, self._loans),
            "replica_pauses": _table(REPLICA_PAUSES, self._pauses),
        }


def _table(columns: Mapping[str, Column], rows: Sequence[Loan] | Sequence[Pause]) -> Table:
    values = list(zip(*map(astuple, rows), strict=True)) or [()] * len(columns)
    named = zip(columns.items(), values, strict=True)
    return Table({name: np.array(found, dtype=column.dtype) for (name, column), found in named})
