"""Clustering: jobs that ask for as many accelerators share nodes."""

from __future__ import annotations

import numpy as np

from dcsim.policies.nodes import Ints, Nodes
from dcsim.policies.placement import Floats
from dcsim.policies.request import Chunk
from dcsim.policies.scored_placement import ScoredPlacement, free_shares_frac

_NUM_BANDS = 4


class Clustering(ScoredPlacement):
    """Nodes with jobs of the same size alone, then with others too, then idle nodes, then any; fullest first.

    GpuClustering in the comparison of Weng et al., USENIX ATC 2023; after Gandiva (Xiao et al., OSDI 2018).
    """

    def scores(self, nodes: Nodes, candidates: Ints, chunk: Chunk) -> Floats:
        """A quarter of the levels for each of the four kinds of node; within it, by free accelerators."""
        if not chunk.num_whole and not chunk.num_shares:
            return np.zeros(len(candidates))
        band = np.array([_band(nodes.num_parts[node], chunk.num_whole) for node in candidates.tolist()])
        return self.levels((band + 1.0 - free_shares_frac(nodes, candidates)) / _NUM_BANDS)


def _band(num_parts: dict[int, int], kind: int) -> int:
    """3 for a node with jobs of the kind only, 2 with others besides, 1 for an idle node, 0 for others."""
    if kind in num_parts:
        return 3 if len(num_parts) == 1 else 2
    return 0 if num_parts else 1
