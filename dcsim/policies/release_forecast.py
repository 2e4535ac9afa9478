"""When a waiting job will find room, as running jobs end one after another."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from dcsim.policies.nodes import Nodes
from dcsim.policies.request import SHARES_PER_ACCELERATOR, Chunk, Part, Request


class ReleaseForecast:
    """Counts the nodes on which the parts of one request would fit, while parts of running jobs come back."""

    def __init__(self, nodes: Nodes, request: Request, *, is_split: bool = False) -> None:
        self._nodes = nodes
        self._is_split = is_split and request.num_accelerators >= 1
        single = ((request.chunk(1), int(request.num_accelerators)),) if self._is_split else ()
        self._chunks: tuple[tuple[Chunk, int], ...] = single or request.chunks(nodes.width)
        self._usable = (nodes.is_up & nodes.accepting(request.models)).tolist()
        self._num_whole = nodes.num_whole.tolist()
        self._num_millicores = nodes.free_millicores.tolist()
        self._memory_bytes = nodes.free_memory_bytes.tolist()
        self._rows: dict[int, list[int]] = {}  # accelerators of the nodes where fractions come back
        self._num_fitting = [self._num_nodes(chunk, request.models) for chunk, _ in self._chunks]

    @property
    def fits(self) -> bool:
        """Whether the request would find room."""
        needed = 0
        for (_, count), num_fitting in zip(self._chunks, self._num_fitting, strict=True):
            needed += count  # a node with room for the larger part has room for the rest, but not for both
            if num_fitting < needed:
                return False
        return True

    def give(self, parts: Iterable[Part]) -> None:
        """Parts of a running job come back."""
        for part in parts:
            self._move(part, 1)

    def take(self, parts: Iterable[Part]) -> None:
        """Another job holds the parts."""
        for part in parts:
            self._move(part, -1)

    def _num_nodes(self, chunk: Chunk, models: tuple[str, ...]) -> int:
        """The sum of ``_count`` over all nodes as they are now."""
        fits = self._nodes.is_fitting(chunk, models)
        return int(self._nodes.num_whole[fits].sum() if self._is_split else np.count_nonzero(fits))

    def _move(self, part: Part, sign: int) -> None:
        node = part.node
        before = [self._count(node, chunk) for chunk, _ in self._chunks]
        if part.num_shares == SHARES_PER_ACCELERATOR:
            self._num_whole[node] += sign * len(part.accelerators)
        else:
            self._share(part, sign)
        self._num_millicores[node] += sign * part.num_millicores
        self._memory_bytes[node] += sign * part.memory_bytes
        for i, (chunk, _) in enumerate(self._chunks):
            self._num_fitting[i] += self._count(node, chunk) - before[i]

    def _share(self, part: Part, sign: int) -> None:
        row = self._rows.setdefault(part.node, list(self._nodes.free_shares[part.node]))
        for accelerator in part.accelerators:
            was_whole = row[accelerator] == SHARES_PER_ACCELERATOR
            row[accelerator] += sign * part.num_shares
            is_whole = row[accelerator] == SHARES_PER_ACCELERATOR
            self._num_whole[part.node] += int(is_whole) - int(was_whole)

    def _count(self, node: int, chunk: Chunk) -> int:
        """How many such chunks count on a node: one at most, or all single accelerators of a split job."""
        if not self._usable[node] or self._num_millicores[node] < chunk.num_millicores:
            return 0
        if self._memory_bytes[node] < chunk.memory_bytes:
            return 0
        if chunk.num_whole:
            num_whole: int = self._num_whole[node]
            return num_whole if self._is_split else int(num_whole >= chunk.num_whole)
        row = self._rows.get(node) or self._nodes.free_shares[node]
        return int(self._num_whole[node] > 0 or max(row, default=0) >= chunk.num_shares)
