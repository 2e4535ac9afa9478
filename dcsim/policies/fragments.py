"""The typical jobs of a workload, and what fragments they find on the nodes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from dcsim.formulas.fragmentation import fragmented
from dcsim.policies.nodes import Ints, Nodes
from dcsim.policies.request import SHARES_PER_ACCELERATOR, Chunk, Request

Floats = npt.NDArray[np.float64]
POPULARITY_FRAC = 0.95  # of all jobs that the typical ones stand for: FGD's experiments


@dataclass(frozen=True, slots=True)
class TypicalJobs:
    """The commonest requests of a workload with how common each is."""

    chunks: tuple[Chunk, ...]
    models: tuple[tuple[str, ...], ...]
    popularity_frac: Floats

    @property
    def demand_shares(self) -> Ints:
        """Thousandths that each asks of one accelerator."""
        return np.array([SHARES_PER_ACCELERATOR if c.num_whole else c.num_shares for c in self.chunks])

    @property
    def num_accelerators(self) -> Ints:
        """Accelerators of each, a fraction counting as one."""
        return np.array([max(c.num_whole, 1) for c in self.chunks])

    @property
    def num_millicores(self) -> Ints:
        """Cores of each."""
        return np.array([c.num_millicores for c in self.chunks])


def typical_jobs(
    requests: Iterable[Request], width: int, popularity_frac: float = POPULARITY_FRAC
) -> TypicalJobs:
    """The commonest requests that make up the given part of a workload; a gang counts by its largest part."""
    counts = Counter((r.chunks(width)[0][0]._replace(memory_bytes=0), r.models) for r in requests)
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    goal, total, chosen = popularity_frac * counts.total(), 0, []
    for kind, count in ranked:
        if total >= goal:
            break
        chosen.append((kind, count))
        total += count
    popularity = np.array([count / total for _, count in chosen])
    return TypicalJobs(tuple(k[0] for k, _ in chosen), tuple(k[1] for k, _ in chosen), popularity)


@dataclass(slots=True)
class _Gains:
    """By node: the fragments that go if a chunk comes, the accelerator it should share, as of a version."""

    shares: Floats
    accelerator: Ints
    version: Ints


@dataclass(slots=True)
class Fragments:
    """Fragments of a pool of nodes under typical jobs; remembers every state of a node that it has met."""

    nodes: Nodes
    typical: TypicalJobs
    _is_accepting: npt.NDArray[np.bool_] = field(init=False)
    _known: dict[tuple[object, ...], float] = field(init=False, default_factory=dict)
    _model: list[str] = field(init=False)
    _gains: dict[Chunk, _Gains] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        by_job = [self.nodes.accepting(models) for models in self.typical.models]
        self._is_accepting = np.array(by_job, dtype=bool).reshape(len(by_job), len(self.nodes.shapes)).T
        self._model = [shape.model for shape in self.nodes.shapes]

    def accelerators(self) -> float:
        """Free accelerators, on nodes that are up, that the next typical job could not use."""
        up = np.flatnonzero(self.nodes.is_up).tolist()
        states = [self.nodes.free_shares[node] for node in up]
        lost = self.of_states(up, states, self.nodes.free_millicores[up].tolist())
        return sum(lost) / SHARES_PER_ACCELERATOR

    def gains(self, chunk: Chunk, candidates: Ints) -> Floats:
        """Thousandths by which fragments of each candidate shrink if it takes the chunk where best."""
        return self._gains_of(chunk, candidates).shares[candidates]

    def best_accelerator(self, chunk: Chunk, node: int) -> int:
        """The accelerator of the node on which a fraction leaves the least fragments."""
        return int(self._gains_of(chunk, np.array([node])).accelerator[node])

    def _gains_of(self, chunk: Chunk, candidates: Ints) -> _Gains:
        num_nodes = len(self.nodes.shapes)
        if chunk not in self._gains:
            never = np.full(num_nodes, -1, dtype=np.int64)
            self._gains[chunk] = _Gains(np.zeros(num_nodes), np.zeros(num_nodes, dtype=np.int64), never)
        known = self._gains[chunk]
        stale = candidates[self.nodes.changed_at[candidates] > known.version[candidates]]
        for node in stale.tolist():
            known.shares[node], known.accelerator[node] = self._best(chunk, node)
        known.version[stale] = self.nodes.version
        return known

    def _best(self, chunk: Chunk, node: int) -> tuple[float, int]:
        free, cores = self.nodes.free_shares[node], int(self.nodes.free_millicores[node])
        options = list(_options(free, chunk))
        states = [free, *(after for _, after in options)]
        left = [cores, *[cores - chunk.num_millicores] * len(options)]
        now, *after = self.of_states([node] * len(states), states, left)
        best = min(range(len(options)), key=after.__getitem__)
        return now - after[best], options[best][0]

    def of_states(
        self, nodes: Sequence[int], free: Sequence[Sequence[int]], millicores: Sequence[int]
    ) -> list[float]:
        """Fragments of each of the nodes, if so much of its accelerators and cores were free."""
        keys = [
            (tuple(sorted(row)), cores, self._model[node])
            for node, row, cores in zip(nodes, free, millicores, strict=True)
        ]
        new = {key: i for i, key in enumerate(keys) if key not in self._known}
        if new:
            self._learn(list(new), [nodes[i] for i in new.values()])
        return [self._known[key] for key in keys]

    def _learn(self, keys: list[tuple[tuple[int, ...], int, str]], nodes: list[int]) -> None:
        width = self.nodes.width
        free = np.array([(0,) * (width - len(row)) + row for row, _, _ in keys])
        found = fragmented(
            free,
            np.array([cores for _, cores, _ in keys]),
            self.typical.demand_shares,
            self.typical.num_accelerators,
            self.typical.num_millicores,
            self.typical.popularity_frac,
            self._is_accepting[nodes],
        )
        self._known.update(zip(keys, found.tolist(), strict=True))


def _options(free: list[int], chunk: Chunk) -> Iterator[tuple[int, list[int]]]:
    """What is left on the accelerators for each way to place a chunk; accelerators alike count once."""
    if chunk.num_whole or not chunk.num_shares:
        after, left = list(free), chunk.num_whole
        for i, shares in enumerate(free):
            if left and shares == SHARES_PER_ACCELERATOR:
                after[i], left = 0, left - 1
        yield 0, after
        return
    seen = set()
    for i, shares in enumerate(free):
        if shares >= chunk.num_shares and shares not in seen:
            seen.add(shares)
            yield i, [*free[:i], shares - chunk.num_shares, *free[i + 1 :]]
