"""Free room on every node: what placements look at, and what giving and taking back change."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from dcsim.policies.request import SHARES_PER_ACCELERATOR, Chunk, Part

if TYPE_CHECKING:
    from dcsim.policies.fragments import Fragments

Ints: TypeAlias = npt.NDArray[np.int64]
Bools: TypeAlias = npt.NDArray[np.bool_]
PLENTY = 1 << 60  # of cores or memory, where a node does not count them


@dataclass(frozen=True, slots=True)
class NodeShape:
    """One node as a job scheduler sees it."""

    num_accelerators: int
    num_millicores: int = PLENTY
    memory_bytes: int = PLENTY
    model: str = ""  # of its accelerators
    leaf: int = 0  # switch that it hangs on


@dataclass(slots=True)
class Nodes:
    """The free room of a pool of nodes. Placements read it; ``take`` and ``give`` change it.

    ``free_shares`` holds the thousandths free on each accelerator of each node; the arrays hold one number
    for each node. A node that is down keeps its books, but no chunk fits on it.
    """

    shapes: Sequence[NodeShape]
    fragments: Fragments | None = None  # what typical jobs find on these nodes, if they are known
    width: int = field(init=False)  # accelerators of the largest node
    num_accelerators: int = field(init=False)  # of all nodes, those that are down included
    max_millicores: int = field(init=False)  # of the node with the most
    total_millicores: int = field(init=False)  # at least PLENTY where a node does not count them
    total_memory_bytes: int = field(init=False)
    free_shares: list[list[int]] = field(init=False)
    num_whole: Ints = field(init=False)  # accelerators that nobody uses
    most_free_shares: Ints = field(init=False)  # on the emptiest accelerator
    total_free_shares: Ints = field(init=False)
    free_millicores: Ints = field(init=False)
    free_memory_bytes: Ints = field(init=False)
    is_up: Bools = field(init=False)
    leaf_of_node: Ints = field(init=False)
    num_parts: list[dict[int, int]] = field(
        init=False
    )  # parts on each node by accelerators held, 0 a fraction
    version: int = field(init=False, default=0)  # grows with every change
    num_gives: int = field(init=False, default=0)  # grows when room may have grown
    changed_at: Ints = field(init=False)  # version at which a node changed last
    _num_free_shares: int = field(init=False)  # on nodes that are up
    _accepting: dict[tuple[str, ...], Bools] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        sizes = np.array([shape.num_accelerators for shape in self.shapes], dtype=np.int64)
        self.width, self.num_accelerators = max(sizes.tolist(), default=0), int(sizes.sum())
        self.free_shares = [[SHARES_PER_ACCELERATOR] * size for size in sizes.tolist()]
        self.num_whole = sizes
        self.most_free_shares = np.where(sizes > 0, SHARES_PER_ACCELERATOR, 0)
        self.total_free_shares = sizes * SHARES_PER_ACCELERATOR
        self.free_millicores = np.array([shape.num_millicores for shape in self.shapes], dtype=np.int64)
        self.free_memory_bytes = np.array([shape.memory_bytes for shape in self.shapes], dtype=np.int64)
        self.max_millicores = int(self.free_millicores.max(initial=0))
        self.total_millicores = sum(shape.num_millicores for shape in self.shapes)
        self.total_memory_bytes = sum(shape.memory_bytes for shape in self.shapes)
        self._num_free_shares = self.num_accelerators * SHARES_PER_ACCELERATOR
        self.is_up = np.ones(len(self.shapes), dtype=bool)
        self.leaf_of_node = np.unique([shape.leaf for shape in self.shapes], return_inverse=True)[1]
        self.num_parts = [{} for _ in self.shapes]
        self.changed_at = np.zeros(len(self.shapes), dtype=np.int64)

    @property
    def num_free(self) -> float:
        """Free accelerators of the nodes that are up, fractions included."""
        return self._num_free_shares / SHARES_PER_ACCELERATOR

    def accepting(self, models: tuple[str, ...]) -> Bools:
        """Which nodes have an accelerator that a job accepts."""
        if models not in self._accepting:
            self._accepting[models] = np.array([not models or s.model in models for s in self.shapes])
        return self._accepting[models]

    def is_fitting(self, chunk: Chunk, models: tuple[str, ...]) -> Bools:
        """Whether the chunk fits, for each node."""
        if chunk.num_whole:
            fits = self.is_up & (self.num_whole >= chunk.num_whole)
        else:
            fits = self.is_up & (self.most_free_shares >= chunk.num_shares)
        if chunk.num_millicores:
            fits &= self.free_millicores >= chunk.num_millicores
        if chunk.memory_bytes:
            fits &= self.free_memory_bytes >= chunk.memory_bytes
        return fits & self.accepting(models) if models else fits

    def take(self, parts: Iterable[Part]) -> None:
        """Give the parts away."""
        for part in parts:
            self._move(part, -1)

    def give(self, parts: Iterable[Part]) -> None:
        """Get the parts back."""
        self.num_gives += 1
        for part in parts:
            self._move(part, 1)

    def set_up(self, node: int, is_up: bool) -> None:
        """Let a node be used, or not."""
        if self.is_up[node] != is_up:
            self._num_free_shares += sum(self.free_shares[node]) * (1 if is_up else -1)
        self.is_up[node] = is_up
        self.num_gives += 1
        self._touch(node)

    def _move(self, part: Part, sign: int) -> None:
        node, free = part.node, self.free_shares[part.node]
        for accelerator in part.accelerators:
            free[accelerator] += sign * part.num_shares
        if self.is_up[node]:
            self._num_free_shares += sign * part.num_shares * len(part.accelerators)
        self.num_whole[node] = free.count(SHARES_PER_ACCELERATOR)
        self.most_free_shares[node] = max(free, default=0)
        self.total_free_shares[node] = sum(free)
        self.free_millicores[node] += sign * part.num_millicores
        self.free_memory_bytes[node] += sign * part.memory_bytes
        if part.accelerators:
            kind = kind_of(part)
            self.num_parts[node][kind] = self.num_parts[node].get(kind, 0) - sign
            if not self.num_parts[node][kind]:
                del self.num_parts[node][kind]
        self._touch(node)

    def _touch(self, node: int) -> None:
        self.version += 1
        self.changed_at[node] = self.version


def kind_of(part: Part) -> int:
    """How many whole accelerators a part holds; 0 for a fraction of one."""
    return len(part.accelerators) if part.num_shares == SHARES_PER_ACCELERATOR else 0
