"""Shared first: shared accelerators first, then free ones of used nodes, then idle nodes."""

from __future__ import annotations

import numpy as np

from dcsim.policies.nodes import Ints, Nodes
from dcsim.policies.placement import Floats
from dcsim.policies.request import SHARES_PER_ACCELERATOR, Chunk
from dcsim.policies.scored_placement import ScoredPlacement

_TENTH = 10


class SharedFirst(ScoredPlacement):
    """Accelerators that others use already, the fullest first; then free ones of used nodes; then idle nodes.

    GpuPacking in the comparison of Weng et al., USENIX ATC 2023; after AntMan (Xiao et al., OSDI 2020).
    """

    def scores(self, nodes: Nodes, candidates: Ints, chunk: Chunk) -> Floats:
        """The upper half of the levels for shared accelerators, the next sixth for used nodes, then idle."""
        if not chunk.num_whole and not chunk.num_shares:
            return np.zeros(len(candidates))
        return np.array([self._score(nodes, node, chunk) for node in candidates.tolist()], dtype=float)

    def _score(self, nodes: Nodes, node: int, chunk: Chunk) -> int:
        top, size = self.num_levels, nodes.shapes[node].num_accelerators
        num_whole = int(nodes.num_whole[node])
        if num_whole == size:
            return max(top // 3 - num_whole, num_whole)
        if chunk.num_whole:
            return max(top // 2 - chunk.num_whole, top // 3)
        free = min(shares for shares in nodes.free_shares[node] if shares >= chunk.num_shares)
        if free == SHARES_PER_ACCELERATOR:
            return max(top // 2 - 1, top // 3)
        return max(top - top * free // SHARES_PER_ACCELERATOR // _TENTH, top // 2)
