"""Placements that score nodes in whole numbers, as Kubernetes does."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from dcsim.policies.nodes import Ints, Nodes
from dcsim.policies.placement import Floats, Placement
from dcsim.policies.request import SHARES_PER_ACCELERATOR, Chunk


class ScoredPlacement(Placement):
    """Base of the placements of the FGD study, which ran on a Kubernetes scheduler.

    That scheduler rounds scores down to whole numbers from 0 to 100. Kubernetes draws among the best; the
    study's (github.com/hkust-adsl/kubernetes-scheduler-simulator) takes the first in a fixed order of nodes,
    and so does this.
    """

    num_levels: int = Field(
        default=100,
        gt=0,
        le=1_000_000,
        description="Levels that scores are rounded down to; 100 in Kubernetes.",
    )

    def levels(self, score_fracs: Floats) -> Floats:
        """Scores of 0 to 1 as whole numbers."""
        return np.floor(score_fracs * self.num_levels)


def largest(nodes: Nodes) -> tuple[int, int]:
    """Thousandths of accelerators, and of cores, of the largest node."""
    return nodes.width * SHARES_PER_ACCELERATOR, nodes.max_millicores


def demand_shares(chunk: Chunk) -> int:
    """Thousandths of accelerators that a chunk asks for."""
    return chunk.num_whole * SHARES_PER_ACCELERATOR + chunk.num_shares


def free_shares_frac(nodes: Nodes, candidates: Ints) -> Floats:
    """Free accelerators of each candidate over those of the largest node."""
    return np.asarray(nodes.total_free_shares[candidates] / largest(nodes)[0], dtype=np.float64)
