"""FGD: where fragmentation grows least."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from dcsim.policies.nodes import Ints, Nodes
from dcsim.policies.placement import Floats
from dcsim.policies.request import SHARES_PER_ACCELERATOR, Chunk
from dcsim.policies.scored_placement import ScoredPlacement


class Fgd(ScoredPlacement):
    """Fragmentation gradient descent: the node whose fragments grow least, or shrink most, by the job.

    Weng et al., USENIX ATC 2023, algorithm 1. The typical jobs are those of the workload. Where the workload
    is not known, it packs.
    """

    needs_workload: ClassVar[bool] = True

    def scores(self, nodes: Nodes, candidates: Ints, chunk: Chunk) -> Floats:
        """The logistic function of the fragments that go, in accelerators."""
        fragments = nodes.fragments
        if fragments is None:
            return self.levels(1.0 - nodes.total_free_shares[candidates] / nodes.total_free_shares.max())
        gains = fragments.gains(chunk, candidates) / SHARES_PER_ACCELERATOR
        return self.levels(1.0 / (1.0 + np.exp(-gains)))

    def shared_accelerator(self, nodes: Nodes, node: int, chunk: Chunk, rng: np.random.Generator) -> int:
        """The accelerator on which fragments grow least."""
        if nodes.fragments is None:
            return super().shared_accelerator(nodes, node, chunk, rng)
        return nodes.fragments.best_accelerator(chunk, node)
