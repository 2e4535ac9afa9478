"""Max-min fair sharing of links by progressive filling, on arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

TIE_FRAC = 1e-12  # shares that differ by less are equal but for rounding


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
    left = capacities.astype(np.float64)
    wanted = summed(incidence.links, incidence.weights, len(left))
    rates = incidence.caps.astype(np.float64)
    while len(incidence.flows):
        level, is_settled = _settled(left, wanted, incidence)
        is_done = is_settled.take(incidence.flows)
        done, incidence = (
            incidence.entries(np.flatnonzero(is_done)),
            incidence.entries(np.flatnonzero(~is_done)),
        )
        np.copyto(rates, level, where=is_settled)
        left = np.maximum(left - done.loads(rates, len(left)), 0.0)
        wanted = wanted - summed(done.links, done.weights, len(left))
    return rates


def _settled(left: Numbers, wanted: Numbers, incidence: Incidence) -> tuple[Numbers, Mask]:
    """The least that each waiting flow will get, and whether it can get no more.

    ``wanted`` is the sum of the weights of the waiting flows on each link.
    """
    flows, links = incidence.flows, incidence.links
    share = np.divide(left, wanted, out=np.full(len(left), np.inf), where=wanted > 0)
    level = np.full(len(incidence.caps), np.inf)
    np.minimum.at(level, flows, share.take(links))
    is_settled = (incidence.caps <= level) & (level < np.inf)
    np.minimum(level, incidence.caps, out=level)
    lowest = np.full(len(left), np.inf)
    np.minimum.at(lowest, links, level.take(flows))
    is_bottleneck = lowest >= share * (1 - TIE_FRAC)
    is_settled[flows[is_bottleneck.take(links)]] = True
    return level, is_settled
