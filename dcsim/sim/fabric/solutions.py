"""Solutions that come again: a job and its checkpoint meet thousands of times, with the same shares."""

from __future__ import annotations

from collections.abc import Sequence

from dcsim.networks.routes import Route

MAX_FLOWS = 64  # more flows under way hardly come together again
_MAX_KEPT = 4_096

_Key = tuple[int, tuple[tuple[int, float], ...]]


class Solutions:
    """Rates by what is under way: routes, caps and the state of the network. Equal flows have equal rates."""

    def __init__(self) -> None:
        self._rates: dict[_Key, dict[tuple[int, float], float]] = {}
        self._routes: dict[int, Route] = {}  # kept, so that no other gets the identity of one of these

    def rates(self, routes: Sequence[Route], caps: Sequence[float], state: int) -> list[float] | None:
        """The rates of flows, if these were together before in the same state of the network."""
        flows = [(id(route), cap) for route, cap in zip(routes, caps, strict=True)]
        known = self._rates.get((state, tuple(sorted(flows))))
        return None if known is None else [known[flow] for flow in flows]

    def keep(
        self, routes: Sequence[Route], caps: Sequence[float], state: int, rates: Sequence[float]
    ) -> None:
        """Remember the rates of all flows that are under way."""
        if len(self._rates) >= _MAX_KEPT:
            self._rates, self._routes = {}, {}
        flows = [(id(route), cap) for route, cap in zip(routes, caps, strict=True)]
        self._rates[state, tuple(sorted(flows))] = dict(zip(flows, rates, strict=True))
        self._routes |= {id(route): route for route in routes}
