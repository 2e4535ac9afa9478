"""Best fit: the node that has least left over all resources."""

from __future__ import annotations

from dcsim.policies.nodes import Ints, Nodes
from dcsim.policies.placement import Floats
from dcsim.policies.request import Chunk
from dcsim.policies.scored_placement import ScoredPlacement, demand_shares, largest

_WEIGHT_FRAC = 0.5  # accelerators and cores count alike


class BestFit(ScoredPlacement):
    """Least mean of what stays free of accelerators and cores, each over what the largest node has.

    The form that Weng et al., USENIX ATC 2023, compare FGD with; after Protean (Hadary et al., OSDI 2020).
    """

    def scores(self, nodes: Nodes, candidates: Ints, chunk: Chunk) -> Floats:
        """One less the weighted rest, stretched over all levels."""
        max_shares, max_millicores = largest(nodes)
        rest_shares = (nodes.total_free_shares[candidates] - demand_shares(chunk)) / max_shares
        rest_cores = (nodes.free_millicores[candidates] - chunk.num_millicores) / max_millicores
        levels = self.levels(1.0 - _WEIGHT_FRAC * (rest_shares + rest_cores))
        spread = levels.max() - levels.min()
        return self.levels((levels - levels.min()) / spread) if spread else levels
