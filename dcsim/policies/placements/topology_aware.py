"""Topology aware: as few leaf switches as possible."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dcsim.policies.nodes import Ints, Nodes
from dcsim.policies.placement import Floats, Placement
from dcsim.policies.request import Chunk


class TopologyAware(Placement):
    """A gang goes under one leaf where one has room, the leaf with the least to spare; else under the fewest.

    Within a leaf, and for jobs of one node, the fullest nodes come first, so that whole leaves stay free.
    """

    def scores(self, nodes: Nodes, candidates: Ints, chunk: Chunk) -> Floats:
        """Free accelerators of the leaf and then of the node, fewer are better."""
        leaves = nodes.leaf_of_node
        free = np.bincount(leaves, weights=nodes.total_free_shares, minlength=len(leaves))
        score = free[leaves[candidates]] * (free.sum() + 1) + nodes.total_free_shares[candidates]
        return np.asarray(-score, dtype=np.float64)

    def choose(
        self,
        nodes: Nodes,
        candidates: Ints,
        count: int,
        chunk: Chunk,
        rng: np.random.Generator,
        earlier: Sequence[int] = (),
    ) -> list[int]:
        """So many of the candidates, under the leaves that hold the job already, then under the fewest."""
        if count == 1 and not earlier:
            return super().choose(nodes, candidates, count, chunk, rng)
        leaves = nodes.leaf_of_node[candidates]
        at_home = {int(nodes.leaf_of_node[node]) for node in earlier}
        free = nodes.total_free_shares
        by_leaf = {
            leaf: sorted(candidates[leaves == leaf].tolist(), key=lambda n: (free[n], n))
            for leaf in set(leaves.tolist())
        }
        chosen: list[int] = []
        while len(chosen) < count:
            left = count - len(chosen)
            leaf = min(by_leaf, key=lambda i: (i not in at_home, *_waste(len(by_leaf[i]), left), i))
            chosen += by_leaf.pop(leaf)[:left]
        return chosen


def _waste(room: int, left: int) -> tuple[bool, int]:
    """Leaves that hold all that is left come first, the tightest of them; else the roomiest."""
    return (room < left, room - left if room >= left else -room)
