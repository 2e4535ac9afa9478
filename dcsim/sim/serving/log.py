"""Logs: the columns that engines write while they run, and the tables made of them.

Columns are typed arrays written in place, so that a million requests cost tens of megabytes.
"""

from __future__ import annotations

import struct
from array import array
from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dcsim.tables import KV_TRANSFERS, PREEMPTIONS, REQUESTS, STEPS, Column, RequestStatus, Table

_CODES = {"i1": "b", "i4": "i", "i8": "q", "f8": "d"}
_NAN = float("nan")
Integers = npt.NDArray[np.int32]


class RequestLog:
    """One row per request, in order of arrival."""

    def __init__(self) -> None:
        self.arrived_at_s = array("d")
        self.num_prompt_tokens = array("i")
        self.num_output_tokens = array("i")
        self.prefix = array("i")
        self.engine = array("i")
        self.prefill_engine = array("i")
        self.status = array("b")
        self.scheduled_at_s = array("d")
        self.first_token_at_s = array("d")
        self.finished_at_s = array("d")
        self.num_generated_tokens = array("i")
        self.num_cached_tokens = array("i")
        self.num_preemptions = array("i")
        self._resent_at_s: dict[int, float] = {}  # of requests whose replica failed
        self._num_past = 0  # first requests that had ended when a mean was last asked for

    def __len__(self) -> int:
        return len(self.arrived_at_s)

    def extend(
        self,
        arrived_at_s: npt.NDArray[np.float64],
        num_prompt_tokens: npt.NDArray[np.int64],
        num_output_tokens: npt.NDArray[np.int64],
        prefix: npt.NDArray[np.int64],
        engine: npt.NDArray[np.int64],
    ) -> None:
        """Append requests that have not been worked on yet; engine -1 is one not chosen yet."""
        count = len(arrived_at_s)
        self.arrived_at_s.frombytes(arrived_at_s.astype("f8").tobytes())
        for column, values in (
            (self.num_prompt_tokens, num_prompt_tokens),
            (self.num_output_tokens, num_output_tokens),
            (self.prefix, prefix),
            (self.engine, engine),
            (self.prefill_engine, np.full(count, -1)),
        ):
            column.frombytes(values.astype("i4").tobytes())
        self.status.frombytes(bytes([RequestStatus.UNFINISHED]) * count)
        for instants in (self.scheduled_at_s, self.first_token_at_s, self.finished_at_s):
            instants.frombytes(np.full(count, _NAN).tobytes())
        for counts in (self.num_generated_tokens, self.num_cached_tokens, self.num_preemptions):
            counts.frombytes(bytes(counts.itemsize * count))

    def sent_at_s(self, index: int) -> float:
        """When the request was sent to a replica: when it arrived, or later if a replica failed under it."""
        return self._resent_at_s.get(index, self.arrived_at_s[index])

    def lose(self, engine: int, now_s: float) -> list[int]:
        """Requests that an engine held when it failed: as if never worked on, and sent again now."""
        is_held = np.frombuffer(self.engine, "i4") == engine
        is_held &= np.frombuffer(self.status, "i1") == RequestStatus.UNFINISHED
        held: list[int] = np.flatnonzero(is_held).tolist()
        for index in held:
            self.engine[index] = -1
            self.num_generated_tokens[index] = self.num_cached_tokens[index] = 0
            self.scheduled_at_s[index] = self.first_token_at_s[index] = _NAN
            self._resent_at_s[index] = now_s
        return held

    def resend(self, index: int, now_s: float) -> None:
        """A request goes to a replica only now, for want of one before."""
        self._resent_at_s[index] = now_s

    def mean_outstanding(self, started_at_s: float, ended_at_s: float) -> float:
        """Requests that had arrived and not ended, mean over a stretch of time that ends now.

        Stretches must not begin before earlier ones: what had ended by then is not looked at again.
        """
        beyond = bisect_right(self.arrived_at_s, ended_at_s)  # clients that react come in order too
        while self._num_past < beyond and self._has_ended(self._num_past, started_at_s):
            self._num_past += 1
        rows = slice(self._num_past, beyond)
        arrived_at_s = np.frombuffer(self.arrived_at_s, "f8")[rows]
        is_open = np.frombuffer(self.status, "i1")[rows] == RequestStatus.UNFINISHED
        end_s = np.where(is_open, ended_at_s, np.frombuffer(self.finished_at_s, "f8")[rows])
        held_s = np.minimum(end_s, ended_at_s) - np.maximum(arrived_at_s, started_at_s)  # NaN: turned away
        return float(np.nansum(np.maximum(held_s, 0.0))) / (ended_at_s - started_at_s)

    def _has_ended(self, index: int, at_s: float) -> bool:
        is_open = self.status[index] == RequestStatus.UNFINISHED
        return not is_open and not self.finished_at_s[index] > at_s  # NaN: turned away

    def table(self, replica_of: Callable[[Integers], Integers]) -> Table:
        """The table ``requests``, given the replicas of engines; that of -1 is -1."""
        columns: dict[str, npt.NDArray[Any]] = {
            name: np.frombuffer(getattr(self, name), column.dtype)
            for name, column in REQUESTS.items()
            if name != "replica"
        }
        return Table({"replica": replica_of(columns["engine"]), **columns})


class RowLog:
    """Rows of one table, packed one after another as they happen."""

    def __init__(self, columns: Mapping[str, Column]) -> None:
        self._dtype = np.dtype([(name, column.dtype) for name, column in columns.items()])
        self._struct = struct.Struct("<" + "".join(_CODES[column.dtype] for column in columns.values()))
        self.pack = self._struct.pack
        self.buffer = bytearray()

    def __len__(self) -> int:
        return len(self.buffer) // self._struct.size

    def table(self) -> Table:
        """The rows as a table; its columns are views of the packed rows."""
        rows = np.frombuffer(self.buffer, self._dtype)
        return Table({name: rows[name] for name in self._dtype.names or ()})


class StepLog(RowLog):
    """Runs of equal engine steps."""

    def __init__(self) -> None:
        super().__init__(STEPS)


class PreemptionLog(RowLog):
    """Preemptions, completed when the request produces its next token."""

    def __init__(self) -> None:
        super().__init__(PREEMPTIONS)

    def add(
        self, request: int, engine: int, now_s: float, num_lost_tokens: int, last_token_at_s: float
    ) -> int:
        """Record a preemption and return its row."""
        self.buffer += self.pack(request, engine, now_s, num_lost_tokens, last_token_at_s, _NAN)
        return len(self) - 1

    def resume(self, row: int, now_s: float) -> None:
        """Record that the request of that row has produced its next token."""
        offset = (row + 1) * self._struct.size - 8
        struct.pack_into("<d", self.buffer, offset, now_s)


class KvTransferLog(RowLog):
    """KV transfers, completed when they end, and when their requests decode."""

    def __init__(self) -> None:
        super().__init__(KV_TRANSFERS)

    def add(
        self, request: int, engines: tuple[int, int], num_bytes: float, prefilled_at_s: float, now_s: float
    ) -> int:
        """Record the start of a transfer from one engine to another, and return its row."""
        self.buffer += self.pack(request, *engines, num_bytes, prefilled_at_s, now_s, _NAN, _NAN)
        return len(self) - 1

    def end(self, row: int, now_s: float) -> None:
        """Record that the transfer of that row has ended."""
        struct.pack_into("<d", self.buffer, (row + 1) * self._struct.size - 16, now_s)

    def decode(self, row: int, now_s: float) -> None:
        """Record that the request of that row has joined the batch."""
        struct.pack_into("<d", self.buffer, (row + 1) * self._struct.size - 8, now_s)


@dataclass(frozen=True, slots=True)
class EngineLogs:
    """Where engines write; shared by all engines of a workload."""

    requests: RequestLog
    steps: StepLog
    preemptions: PreemptionLog
    num_outstanding: list[int]  # per engine: requests that it holds or is about to get
