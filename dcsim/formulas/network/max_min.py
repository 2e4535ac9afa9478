"""Max-min fair sharing of links by progressive filling, on arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

TIE_FRAC = 1e-12  # shares that differ by less are equal but for rounding
_FULL_FRAC = 0.75  # of the entries in hand that belong to flows that wait, before the others are dropped


@dataclass(frozen=True, slots=True)
class Incidence:
    """Which flows cross which links, entry by entry.

    Entry e says that ``weights[e]`` of the rate of flow ``flows[e]`` crosses link ``links[e]``: 1 for a flow
    on one path, 1/4 for one of four paths, 64 where the flow stands for 64 equal ones. No flow has two
    entries for one link. ``caps`` limits the rates of the flows, which are numbered from 0.
    """

    flows: Indices
    links: Indices
    weights: Numbers
    caps: Numbers

    def loads(self, rates: Numbers, num_links: int) -> Numbers:
        """What the flows bring onto each link at these rates."""
        return summed(self.links, self.weights * rates.take(self.flows), num_links)

    def entries(self, chosen: Indices) -> Incidence:
        """The chosen entries alone; flows keep their numbers."""
        taken = (self.flows.take(chosen), self.links.take(chosen), self.weights.take(chosen))
        return Incidence(*taken, self.caps)


def summed(places: Indices, values: Numbers, num_places: int) -> Numbers:
    """The sum of the values at each place."""
    return np.bincount(places, values, minlength=num_places).astype(np.float64, copy=False)


def max_min_rates(capacities: Numbers, incidence: Incidence) -> Numbers:
    """The rate of each flow when all rise together until a link of theirs is full, or their cap is reached.

    Progressive filling (Bertsekas and Gallager, Data Networks, 2nd ed., section 6.5.2), many links at once:
    a link offers its flows the share s = left / (sum of weights); what a flow will get at least is the
    lowest share on its way, or its cap. Where no flow of a link has to settle for less than the link's
    share, the link is a bottleneck and its flows are done: shares only rise while others settle, so they
    cannot get less, and the link has no more. The link of the lowest share always is one, so that each
    round settles a flow; there are as many rounds as bottlenecks hang on one another, not as there are
    bottlenecks. A flow without links gets its cap.

    Two flows on a link of 10, one of which also crosses a link of 2: rates 8 and 2.
    """
    filling = _Filling(capacities, incidence)
    while filling.is_going:
        filling.settle()
    return filling.rates


class _Filling:
    """Progressive filling on its way: what is left of the links, and the flows that wait for their rate."""

    def __init__(self, capacities: Numbers, incidence: Incidence) -> None:
        self._left = capacities.astype(np.float64)
        self._entries = incidence
        self._wanted = summed(incidence.links, incidence.weights, len(capacities))
        self._is_waiting = np.full(len(incidence.caps), False)
        self._is_waiting[incidence.flows] = True
        self._num_waiting = len(incidence.flows)  # entries of flows that wait
        self.rates = incidence.caps.astype(np.float64)

    @property
    def is_going(self) -> bool:
        """Whether any flow waits for its rate."""
        return self._num_waiting > 0

    def settle(self) -> None:
        """One round: give the flows of bottlenecks their rates, and take these from the links."""
        level, is_settled = self._settled()
        done = self._entries.entries(np.flatnonzero(is_settled.take(self._entries.flows)))
        np.copyto(self.rates, level, where=is_settled)
        self._left = np.maximum(self._left - done.loads(self.rates, len(self._left)), 0.0)
        self._wanted -= summed(done.links, done.weights, len(self._left))
        self._is_waiting &= ~is_settled
        self._num_waiting -= len(done.flows)
        if self._num_waiting < _FULL_FRAC * len(self._entries.flows):
            waiting = np.flatnonzero(self._is_waiting.take(self._entries.flows))
            self._entries = self._entries.entries(waiting)

    def _settled(self) -> tuple[Numbers, Mask]:
        """The least that each waiting flow will get, and whether it can get no more."""
        flows, links, caps = self._entries.flows, self._entries.links, self._entries.caps
        share = np.full(len(self._left), np.inf)
        np.divide(self._left, self._wanted, out=share, where=self._wanted > 0)
        level = np.full(len(caps), np.inf)
        np.minimum.at(level, flows, share.take(links))
        is_settled = caps <= level
        level = np.where(self._is_waiting, np.minimum(level, caps), np.inf)
        lowest = np.full(len(share), np.inf)
        np.minimum.at(lowest, links, level.take(flows))
        is_bottleneck = lowest >= share * (1 - TIE_FRAC)
        is_settled[flows[is_bottleneck.take(links)]] = True
        return level, is_settled & self._is_waiting
