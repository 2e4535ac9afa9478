"""Solutions that come again: a job and its checkpoint meet thousands of times, with the same shares."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from dcsim.networks.routes import Route

MAX_FLOWS = 64  # more flows under way hardly come together again
_MAX_KEPT = 4_096

Together: TypeAlias = tuple[int, tuple[tuple[int, float], ...]]  # a state, and all that is under way in it


class Solutions:
    """Rates by what is under way: routes, caps and the state of the network. Equal flows have equal rates."""

    def __init__(self) -> None:
        self._rates: dict[Together, dict[tuple[int, float], float]] = {}
        self._bursts: dict[tuple[Together, int], float] = {}
        self._routes: dict[int, Route] = {}  # kept, so that no other gets the identity of one of these

    def rates(self, routes: Sequence[Route], caps: Sequence[float], state: int) -> list[float] | None:
        """The rates of flows, if these were together before in the same state of the network."""
        known = self._rates.get(together(routes, caps, state))
        flows = [(id(route), cap) for route, cap in zip(routes, caps, strict=True)]
        return None if known is None else [known[flow] for flow in flows]

    def keep(
        self, routes: Sequence[Route], caps: Sequence[float], state: int, rates: Sequence[float]
    ) -> None:
        """Remember the rates of all flows that are under way."""
        if len(self._rates) >= _MAX_KEPT:
            self._rates, self._routes, self._bursts = {}, {}, {}
        flows = [(id(route), cap) for route, cap in zip(routes, caps, strict=True)]
        self._rates[together(routes, caps, state)] = dict(zip(flows, rates, strict=True))
        self._routes |= {id(route): route for route in routes}

    def burst(self, among: Together, route: Route, find: Callable[[], float]) -> float:
        """What a burst on a route finds among flows whose rates are kept; found once."""
        key = (among, id(route))
        if key not in self._bursts:
            self._bursts[key] = find()
        return self._bursts[key]


def together(routes: Sequence[Route], caps: Sequence[float], state: int) -> Together:
    """What tells flows under way in a state of the network from others, in whatever order."""
    return state, tuple(sorted((id(route), cap) for route, cap in zip(routes, caps, strict=True)))
