"""Pack: the fullest nodes first."""

from __future__ import annotations

from dcsim.policies.nodes import Ints, Nodes
from dcsim.policies.placement import Floats, Placement
from dcsim.policies.request import Chunk


class Pack(Placement):
    """The node with the fewest free accelerators that has room, so that whole nodes stay free for gangs."""

    def scores(self, nodes: Nodes, candidates: Ints, chunk: Chunk) -> Floats:
        """Free accelerators, fewer are better."""
        return -nodes.total_free_shares[candidates].astype(float)
