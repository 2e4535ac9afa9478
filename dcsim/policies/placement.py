"""What every placement is: a choice of nodes for one job."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar, TypeAlias

import numpy as np
import numpy.typing as npt
from pydantic import Field

from dcsim.plugins import Policy
from dcsim.policies.nodes import Ints, Nodes
from dcsim.policies.request import SHARES_PER_ACCELERATOR, Chunk, Part, Request

Floats: TypeAlias = npt.NDArray[np.float64]


class Placement(Policy):
    """Base of all placements. A job that fits into one node gets one, others get full nodes and the rest."""

    draws_ties: ClassVar[bool] = False  # nodes of equal score are drawn; else the first is taken
    needs_workload: ClassVar[bool] = False  # looks at the fragments that typical jobs find

    is_split: bool = Field(
        default=False,
        alias="split",
        description="Jobs that would fit into one node may be spread over several where none has room.",
    )

    @abstractmethod
    def scores(self, nodes: Nodes, candidates: Ints, chunk: Chunk) -> Floats:
        """How good each candidate node is for the chunk: the highest is taken."""

    def place(self, nodes: Nodes, request: Request, rng: np.random.Generator) -> tuple[Part, ...] | None:
        """The parts of the job on the nodes, or None where there is no room. Changes nothing."""
        parts: list[Part] = []
        used = np.zeros(len(nodes.shapes), dtype=bool)
        for chunk, count in request.chunks(nodes.width):
            fits = nodes.is_fitting(chunk, request.models)
            candidates = np.flatnonzero(fits & ~used if parts else fits)
            if len(candidates) < count:
                return self._spread(nodes, request, rng) if self.is_split else None
            earlier = [part.node for part in parts]
            for node in self.choose(nodes, candidates, count, chunk, rng, earlier):
                used[node] = True
                parts.append(self.part(nodes, node, chunk, rng))
        return tuple(parts)

    def choose(
        self,
        nodes: Nodes,
        candidates: Ints,
        count: int,
        chunk: Chunk,
        rng: np.random.Generator,
        earlier: Sequence[int] = (),
    ) -> list[int]:
        """So many of the candidates, the best ones; ``earlier`` nodes hold the rest of the job already."""
        scores = self.scores(nodes, candidates, chunk)
        if count == 1 and not self.draws_ties:
            return [int(candidates[scores.argmax()])]
        if count == 1:
            best = np.flatnonzero(scores == scores.max())
            return [int(candidates[best[int(rng.integers(len(best)))]])]
        ties = rng.random(len(candidates)) if self.draws_ties else np.arange(len(candidates))
        return [int(node) for node in candidates[np.lexsort((ties, -scores))[:count]]]

    def part(self, nodes: Nodes, node: int, chunk: Chunk, rng: np.random.Generator) -> Part:
        """The accelerators of a node that the chunk fits on."""
        free = nodes.free_shares[node]
        if chunk.num_whole:
            whole = [i for i, shares in enumerate(free) if shares == SHARES_PER_ACCELERATOR]
            chosen, shares = tuple(whole[: chunk.num_whole]), SHARES_PER_ACCELERATOR
        elif chunk.num_shares:
            chosen, shares = (self.shared_accelerator(nodes, node, chunk, rng),), chunk.num_shares
        else:
            chosen, shares = (), 0
        return Part(node, chosen, shares, chunk.num_millicores, chunk.memory_bytes)

    def shared_accelerator(self, nodes: Nodes, node: int, chunk: Chunk, rng: np.random.Generator) -> int:
        """The accelerator that a fraction goes to: the fullest one that has room."""
        free = nodes.free_shares[node]
        return min((i for i in range(len(free)) if free[i] >= chunk.num_shares), key=free.__getitem__)

    def _spread(self, nodes: Nodes, request: Request, rng: np.random.Generator) -> tuple[Part, ...] | None:
        """The job over as many nodes as it takes, the best for a single accelerator first."""
        if request.num_accelerators < 1:
            return None
        single = request.chunk(1)
        candidates = np.flatnonzero(nodes.is_fitting(single, request.models))
        left, parts = int(request.num_accelerators), []
        for node in self.choose(nodes, candidates, len(candidates), single, rng) if len(candidates) else ():
            count = min(left, int(nodes.num_whole[node]), _affordable(nodes, node, single))
            parts.append(self.part(nodes, node, request.chunk(count), rng))
            left -= count
            if not left:
                return tuple(parts)
        return None


def _affordable(nodes: Nodes, node: int, single: Chunk) -> int:
    """How many single-accelerator chunks the cores and the memory of a node allow."""
    by_cores = int(nodes.free_millicores[node]) // max(single.num_millicores, 1)
    return min(by_cores, int(nodes.free_memory_bytes[node]) // max(single.memory_bytes, 1))
