"""The moves of a transfer: bytes at the sides of a store and on the fabric, all under way at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import simpy

from dcsim.formulas.storage import Access
from dcsim.sim.storage.side import Side, Visit
from dcsim.sim.storage.storage_log import StorageLog
from dcsim.sim.storage.transfer import Transfer
from dcsim.tables.storage import StorageOperation


class Crossing(Protocol):
    """Bytes that a store goes on sending to nodes over the fabric until they are released."""

    @property
    def share_frac(self) -> float:
        """What it gets of what it asks for, 0 to 1; 0 while a node has no way to the store."""

    def ask(self, bytes_per_s: float) -> None:
        """Ask for another rate from now on."""

    def release(self) -> None:
        """End it."""


class Carrier(Protocol):
    """Moves the bytes of a store over the fabric, between nodes and its gateway."""

    def carry(
        self, nodes: Sequence[int], gateway: str, num_bytes: float, *, is_write: bool, label: str
    ) -> simpy.Event:
        """Start to move the bytes, evenly over the nodes; the event of their arrival."""

    def stream(
        self,
        nodes: Sequence[int],
        gateway: str,
        bytes_per_s: float,
        *,
        label: str,
        on_change: Callable[[float], None],
    ) -> Crossing:
        """Send to the nodes at a steady rate, evenly; ``on_change`` is told every new share of it."""


@dataclass(frozen=True, slots=True)
class Move:
    """Bytes that a transfer moves at one side of a store, and whether they cross the fabric for it."""

    side: Side
    num_bytes: float
    num_files: int
    is_carried: bool


@dataclass(frozen=True, slots=True)
class Order:
    """What a transfer does, for whom, and under which label it is logged."""

    operation: StorageOperation
    nodes: Sequence[int]
    label: str

    @property
    def is_write(self) -> bool:
        """Whether bytes go to the store."""
        return self.operation is StorageOperation.WRITE


class Mover:
    """Carries out moves for one store and logs them."""

    def __init__(
        self, environment: simpy.Environment, name: str, log: StorageLog, carrier: Carrier | None
    ) -> None:
        self._environment = environment
        self._name = name
        self._log = log
        self.carrier = carrier

    def run(
        self, transfer: Transfer, order: Order, moves: Sequence[Move], on_done: Callable[[], None]
    ) -> None:
        """Start all moves, and the way of their bytes over the fabric; call back when the last one ends."""
        now_s = self._environment.now
        row = self._log.begin(self._name, order.operation, now_s, transfer.num_bytes, order.label)
        carried = sum(move.num_bytes for move in moves if move.is_carried)
        is_carried = self.carrier is not None and carried > 0.0
        num_left = len(moves) + is_carried

        def one_done(_: simpy.Event | None = None) -> None:
            nonlocal num_left
            num_left -= 1
            if num_left == 0 and not transfer.is_cancelled:
                self._log.end(row, self._environment.now)
                on_done()

        for move in moves:
            access = Access(move.num_bytes, move.num_files, len(order.nodes))
            visit = Visit(move.side, order.nodes, access, is_write=order.is_write, on_done=one_done)
            transfer.when_cancelled(visit.give_up)
        if self.carrier is not None and carried > 0.0:
            arrival = self.carrier.carry(
                order.nodes, self._name, carried, is_write=order.is_write, label=order.label
            )
            if arrival.callbacks is None:  # already processed
                one_done()
            else:
                arrival.callbacks.append(one_done)
