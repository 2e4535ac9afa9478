"""Capacity: bytes reserved in a store, and what is lost with a node."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from dcsim.errors import InfeasibleError
from dcsim.formulas.storage import StoreLimits

_ROUNDING = 1.0 + 1e-9  # bytes are floats: a store may be filled to the last of them


@dataclass(slots=True, eq=False)
class Holding:
    """Bytes reserved in a store. ``lost_nodes`` are those of its nodes whose part is gone."""

    num_bytes: float
    nodes: tuple[int, ...] = ()
    lost_nodes: set[int] = field(default_factory=set)

    @property
    def is_intact(self) -> bool:
        """Whether every part of it is still there."""
        return not self.lost_nodes


class Capacity:
    """Bytes in use in one store, or in the store of each node where it is local."""

    def __init__(self, name: str, limits: StoreLimits) -> None:
        self._name = name
        self._limits = limits
        self._used_bytes = 0.0
        self._used_of_node: dict[int, float] = {}
        self._holdings: dict[Holding, None] = {}

    @property
    def used_bytes(self) -> float:
        """Bytes reserved, in all nodes together where the store is local."""
        return self._used_bytes

    def free_bytes(self, nodes: Sequence[int] = ()) -> float:
        """Bytes that still fit; in the local stores of the nodes, that fit when shared out evenly."""
        if not self._limits.is_local:
            return self._limits.capacity_bytes - self._used_bytes
        fullest = max((self._used_of_node.get(node, 0.0) for node in nodes), default=0.0)
        return (self._limits.capacity_bytes - fullest) * len(nodes)

    def reserve(self, num_bytes: float, nodes: Sequence[int], what: str) -> Holding:
        """Reserve bytes, evenly over the nodes where the store is local. Raises InfeasibleError."""
        free = self.free_bytes(nodes)
        if num_bytes > free * _ROUNDING:
            raise InfeasibleError(
                f"{what} of {_text(num_bytes)} does not fit store {self._name} with {_text(free)} free of "
                f"{_text(self._limits.capacity_bytes * self._num_parts(nodes))}; give the store more "
                "capacity or servers, keep fewer checkpoints, or save fewer bytes"
            )
        holding = Holding(num_bytes, tuple(nodes) if self._limits.is_local else ())
        self._holdings[holding] = None
        self._add(holding, num_bytes)
        return holding

    def release(self, holding: Holding) -> None:
        """Give back what a holding still has."""
        if holding in self._holdings:
            del self._holdings[holding]
            self._add(holding, -holding.num_bytes)

    def lose(self, node: int) -> list[Holding]:
        """Forget what the local store of a node held; the holdings that lost a part of theirs."""
        damaged = [one for one in self._holdings if node in one.nodes and node not in one.lost_nodes]
        self._used_bytes -= self._used_of_node.pop(node, 0.0)
        for holding in damaged:
            holding.lost_nodes.add(node)
        return damaged

    def _num_parts(self, nodes: Sequence[int]) -> int:
        return len(nodes) if self._limits.is_local else 1

    def _add(self, holding: Holding, num_bytes: float) -> None:
        if not holding.nodes:
            self._used_bytes = max(0.0, self._used_bytes + num_bytes)
            return
        share = num_bytes / len(holding.nodes)
        present = [node for node in holding.nodes if node not in holding.lost_nodes]
        for node in present:
            self._used_of_node[node] = max(0.0, self._used_of_node.get(node, 0.0) + share)
        self._used_bytes = max(0.0, self._used_bytes + share * len(present))


def _text(num_bytes: float) -> str:
    scale, unit = (1e12, "TB") if num_bytes >= 1e12 else (1e9, "GB")
    return f"{num_bytes / scale:.4g} {unit}"
