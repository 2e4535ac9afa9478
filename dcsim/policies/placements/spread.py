"""Spread: the emptiest nodes first."""

from __future__ import annotations

from dcsim.policies.nodes import Ints, Nodes
from dcsim.policies.placement import Floats, Placement
from dcsim.policies.request import Chunk


class Spread(Placement):
    """The node with the most free accelerators (worst fit): neighbours on a node disturb each other least."""

    def scores(self, nodes: Nodes, candidates: Ints, chunk: Chunk) -> Floats:
        """Free accelerators, more are better."""
        return nodes.total_free_shares[candidates].astype(float)
