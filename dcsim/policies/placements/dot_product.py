"""Dot product: the node whose free room is least in line with what the job asks for."""

from __future__ import annotations

from dcsim.policies.nodes import Ints, Nodes
from dcsim.policies.placement import Floats
from dcsim.policies.request import Chunk
from dcsim.policies.scored_placement import ScoredPlacement, demand_shares, largest

_NUM_DIMENSIONS = 2


class DotProduct(ScoredPlacement):
    """Smallest dot product of demand and free room, in accelerators and cores of the largest node.

    The form that Weng et al., USENIX ATC 2023, compare FGD with; after Tetris (Grandl et al., SIGCOMM 2014,
    doi:10.1145/2619239.2626334), which prefers the largest product.
    """

    def scores(self, nodes: Nodes, candidates: Ints, chunk: Chunk) -> Floats:
        """One less the mean product."""
        max_shares, max_millicores = largest(nodes)
        shares = nodes.total_free_shares[candidates] / max_shares * (demand_shares(chunk) / max_shares)
        cores = nodes.free_millicores[candidates] / max_millicores * (chunk.num_millicores / max_millicores)
        return self.levels(1.0 - (shares + cores) / _NUM_DIMENSIONS)
