"""Solutions that come again: a job and its checkpoint meet thousands of times, with the same shares."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np

from dcsim.formulas.network.max_min import Indices, Numbers
from dcsim.networks.routes import Route

MAX_FLOWS = 64  # more flows under way hardly come together again
_MAX_KEPT = 512

Kind: TypeAlias = tuple[Route, float]  # the route of a flow and its cap: flows of one kind have one rate
Together: TypeAlias = tuple[int, frozenset[tuple[Kind, int]]]  # a state, and how many of each kind are in it


class Phase(NamedTuple):
    """Many flows under way: the state, the routes that slots have, the slots in use and their caps."""

    state: int
    routes_version: int
    slots: Indices
    caps: Numbers

    def is_same(self, other: Phase) -> bool:
        """Whether as many flows on the same routes have the same caps in the same state."""
        return self[:2] == other[:2] and all(map(np.array_equal, self[2:], other[2:]))


class Solutions:
    """Rates by what is under way in which state of the network."""

    def __init__(self) -> None:
        self._rates: dict[Together, dict[Kind, float]] = {}
        self._bursts: dict[tuple[Together, Route], float] = {}

    def rates(self, among: Together) -> dict[Kind, float] | None:
        """The rates of flows, if these were together before in the same state of the network."""
        return self._rates.get(among)

    def keep(self, among: Together, kinds: Sequence[Kind], rates: Sequence[float]) -> None:
        """Remember the rates of all flows that are under way."""
        if len(self._rates) >= _MAX_KEPT:
            self._rates, self._bursts = {}, {}
        self._rates[among] = dict(zip(kinds, rates, strict=True))

    def burst(self, among: Together, route: Route, find: Callable[[], float]) -> float:
        """What a burst on a route finds among flows whose rates are kept; found once."""
        key = (among, route)
        if key not in self._bursts:
            self._bursts[key] = find()
        return self._bursts[key]


def together(state: int, kinds: Sequence[Kind]) -> Together:
    """What tells flows under way in a state of the network from others, in whatever order."""
    return state, frozenset(Counter(kinds).items())
