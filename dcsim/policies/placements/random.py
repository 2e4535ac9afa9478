"""Random: any node that has room."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from dcsim.policies.nodes import Ints, Nodes
from dcsim.policies.placement import Floats, Placement
from dcsim.policies.request import Chunk


class Random(Placement):
    """A node drawn uniformly among those with room, and on it any accelerator with room for a fraction."""

    draws_ties: ClassVar[bool] = True

    def scores(self, nodes: Nodes, candidates: Ints, chunk: Chunk) -> Floats:
        """All equal."""
        return np.zeros(len(candidates))

    def shared_accelerator(self, nodes: Nodes, node: int, chunk: Chunk, rng: np.random.Generator) -> int:
        """Any accelerator with room."""
        able = [i for i, free in enumerate(nodes.free_shares[node]) if free >= chunk.num_shares]
        return able[int(rng.integers(len(able)))]
