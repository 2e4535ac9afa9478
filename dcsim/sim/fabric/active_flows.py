"""Active flows: rates, remaining bytes and routes of what is under way, in arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from dcsim.formulas.max_min import Incidence, Indices, Mask, Numbers, max_min_rates, summed
from dcsim.networks.routes import Route
from dcsim.sim.fabric.solutions import MAX_FLOWS, Solutions, together

TIE_FRAC = 1e-12  # differences below are rounding
_NEAR_FRAC = 1e-9  # of the time: a first, coarse choice of flows that may be due
_MIN_SWEPT = 1_024  # entries of empty slots before they are swept


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Flows that come in together, as equally long lists. Of a group, only the last end matters to anyone."""

    routes: Sequence[Route]
    num_bytes: Sequence[float]
    caps: Sequence[float]
    groups: Sequence[int]


class ActiveFlows:
    """Flows in numbered slots, with rates that are max-min fair since the last ``resolve``.

    Only what a change can reach is solved again. Below the rate of a flow that leaves, filling went as it
    would have gone without it; below the share that a link of a new flow offers at least, as without that
    one. So slower flows keep their rates, and of the others those that share no link with a change, directly
    or through others.
    """

    def __init__(self, num_links: int) -> None:
        self._num_links = num_links
        self._flows, self._links = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
        self._weights = np.empty(0)
        self._groups = np.empty(0, dtype=np.int64)
        self._firsts, self._counts = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)  # by slot
        self._free: list[int] = []  # empty slots without entries
        self._dead: list[int] = []  # empty slots whose entries still stand
        self.is_live, self._is_new = np.empty(0, dtype=bool), np.empty(0, dtype=bool)
        self._is_told = np.empty(0, dtype=bool)  # whether its end was told; it goes with the next solution
        self.is_phase = np.empty(0, dtype=bool)  # whether its end changes no other rate
        self.caps, self.rates, self.remaining = np.empty(0), np.empty(0), np.empty(0)
        self.started_at_s, self.finish_at_s, self._moved = np.empty(0), np.empty(0), np.empty(0)
        self._wake_at_s = np.empty(0)
        self._is_touched = np.full(num_links, False)
        self._floor = np.inf  # rates below stay as they are
        self.num_live = self._num_entries = 0
        self._routes: dict[int, Route] = {}
        self._solutions = Solutions()

    @property
    def is_dirty(self) -> bool:
        """Whether flows came or went, or links changed, since the last ``resolve``."""
        return bool(self._is_touched.any())

    def add(self, arrivals: Arrivals, now_s: float) -> list[int]:
        """Let flows in and return their slots. They have no rate before ``resolve``."""
        routes = arrivals.routes
        slots = [self._free.pop() if self._free else self._grown() for _ in routes]
        at = np.array(slots, dtype=np.int64)
        self.is_live[at], self._is_new[at], self.is_phase[at] = True, True, False
        self._is_told[at] = False
        self.caps[at], self.remaining[at] = arrivals.caps, arrivals.num_bytes
        self._groups[at] = arrivals.groups
        self.rates[at], self._moved[at] = 0.0, 0.0
        self.started_at_s[at], self.finish_at_s[at], self._wake_at_s[at] = now_s, np.inf, np.inf
        links = np.concatenate([route.links for route in routes])
        counts = np.array([len(route.links) for route in routes], dtype=np.int64)
        self._firsts[at], self._counts[at] = len(self._flows) + np.cumsum(counts) - counts, counts
        self._flows = np.concatenate((self._flows, np.repeat(at, counts)))
        self._links = np.concatenate((self._links, links))
        self._weights = np.concatenate((self._weights, *(route.weights for route in routes)))
        self._is_touched[links] = True
        self._routes.update(zip(slots, routes, strict=True))
        self.num_live += len(slots)
        self._num_entries += len(links)
        return slots

    def remove(self, slots: Indices) -> None:
        """Let flows go. What they leave to others is theirs after ``resolve``."""
        counts = self._counts[slots]
        shift = np.repeat(self._firsts[slots] - (np.cumsum(counts) - counts), counts)
        self._is_touched[self._links[shift + np.arange(len(shift))]] = True
        solved = slots[~self._is_new[slots]]
        self._floor = min(self._floor, float(self.rates[solved].min(initial=np.inf)))
        self.is_live[slots], self._is_new[slots] = False, False
        self.rates[slots], self.finish_at_s[slots], self._wake_at_s[slots] = 0.0, np.inf, np.inf
        self._dead += slots.tolist()
        self.num_live -= len(slots)
        self._num_entries -= int(counts.sum())

    def touch(self, links: Indices) -> None:
        """Say that the capacity of links has changed."""
        self._is_touched[links] = True
        self._floor = 0.0

    def advance(self, duration_s: float) -> None:
        """Let all flows move for a while at their rates."""
        if duration_s > 0:
            moved = np.minimum(self.rates * duration_s, self.remaining)  # some of a phase have ended unseen
            self._moved += moved
            self.remaining -= moved

    def due(self, now_s: float) -> Indices:
        """The slots of flows that end now."""
        slots = np.flatnonzero(self.finish_at_s <= now_s * (1 + _NEAR_FRAC))
        ahead_s = self.finish_at_s[slots] - now_s
        near_s = np.maximum(TIE_FRAC * (now_s - self.started_at_s[slots]), 2 * np.spacing(now_s))
        due: Indices = slots[ahead_s <= near_s]
        return due

    def newly_due(self, now_s: float) -> Indices:
        """The slots of flows that end now, or did, each told once."""
        slots = self.due(now_s)
        slots = slots[~self._is_told[slots]]
        self._is_told[slots], self._wake_at_s[slots] = True, np.inf
        return slots

    def taken_loads(self) -> Numbers:
        """Bytes that each link has carried since this was last asked."""
        loads = summed(self._links, self._weights * self._moved.take(self._flows), self._num_links)
        self._moved[:] = 0.0
        return loads

    def loads(self) -> Numbers:
        """What each link carries now, in bytes per second."""
        rates = self.rates * (self.remaining > 0)
        return summed(self._links, self._weights * rates.take(self._flows), self._num_links)

    def burst_bytes_per_s(self, slots: Sequence[int], capacities: Numbers, state: int) -> list[float]:
        """What a burst of each flow finds: on each link what others leave, or its fair share if more."""
        if self.num_live > MAX_FLOWS:
            return [self._burst(slot, capacities) for slot in slots]
        live = np.flatnonzero(self.is_live)
        among = together([self._routes[slot] for slot in live.tolist()], self.caps[live].tolist(), state)
        return [
            self._solutions.burst(among, self._routes[slot], partial(self._burst, slot, capacities))
            for slot in slots
        ]

    def _burst(self, slot: int, capacities: Numbers) -> float:
        entries = slice(self._firsts[slot], self._firsts[slot] + self._counts[slot])
        links, own = self._links[entries], self._weights[entries]
        left = capacities[links] - (self.loads()[links] - own * self.rates[slot])
        fair = capacities[links] * own / self.weights_on_links()[links]
        return float((np.maximum(left, fair) / own).min())

    def weights_on_links(self) -> Numbers:
        """The sum of the weights of the flows on each link."""
        return summed(self._links, self._weights * self.is_live.take(self._flows), self._num_links)

    def crossing(self, is_chosen: Mask) -> Indices:
        """The slots of flows that cross any of the links."""
        slots = np.unique(self._flows[is_chosen.take(self._links)])
        return slots[self.is_live[slots]]

    def resolve(self, capacities: Numbers, now_s: float, state: int) -> None:
        """Share the links anew. ``state`` is a number of its own for each set of capacities."""
        slots, rates = self._known(state)
        if slots is None:
            slots, rates = self._solution(capacities)
            self._remember(state, slots, rates)
        self.rates[slots] = rates
        with np.errstate(divide="ignore"):
            self.finish_at_s[slots] = now_s + np.maximum(self.remaining[slots], 0.0) / rates
        self._mark_phase(slots)
        self._is_touched[:] = False
        self._is_new[:] = False
        self._floor = np.inf

    def _known(self, state: int) -> tuple[Indices | None, Numbers]:
        """The flows under way and their rates, if they were together before."""
        if self.num_live > MAX_FLOWS:
            return None, np.empty(0)
        live = np.flatnonzero(self.is_live)
        routes = [self._routes[slot] for slot in live.tolist()]
        rates = self._solutions.rates(routes, self.caps[live].tolist(), state)
        return (None, np.empty(0)) if rates is None else (live, np.array(rates))

    def _remember(self, state: int, slots: Indices, rates: Numbers) -> None:
        if self.num_live <= MAX_FLOWS:
            self.rates[slots] = rates
            live = np.flatnonzero(self.is_live)
            routes = [self._routes[slot] for slot in live.tolist()]
            self._solutions.keep(routes, self.caps[live].tolist(), state, self.rates[live].tolist())

    def _solution(self, capacities: Numbers) -> tuple[Indices, Numbers]:
        """The flows that a change can reach, and their rates beside the others, which keep theirs."""
        reached = self._reached(capacities)
        chosen = reached.take(self._flows)
        entries, held = np.flatnonzero(chosen), np.flatnonzero(~chosen)
        held_rates = self.rates.take(self._flows.take(held)) * self._weights.take(held)
        left = np.maximum(capacities - summed(self._links.take(held), held_rates, self._num_links), 0.0)
        numbers, slots = np.cumsum(reached) - 1, np.flatnonzero(reached)
        incidence = Incidence(
            numbers.take(self._flows.take(entries)),
            self._links.take(entries),
            self._weights.take(entries),
            self.caps.take(slots),
        )
        return slots, max_min_rates(left, incidence)

    @property
    def next_wake_at_s(self) -> float:
        """When the next flow ends whose end matters to others, at the rates of now; infinite if none does."""
        return float(self._wake_at_s.min(initial=np.inf))

    @property
    def has_many_dead(self) -> bool:
        """Whether as many entries belong to empty slots as to flows under way."""
        return len(self._flows) >= _MIN_SWEPT + 2 * self._num_entries

    def complete(self, slots: Indices) -> None:
        """Count the last bytes of flows that are due: what rounding left of them."""
        self._moved[slots] += self.remaining[slots]
        self.remaining[slots] = 0.0

    def sweep(self) -> None:
        """Drop the entries of empty slots. Loads must have been taken before."""
        kept = np.flatnonzero(self.is_live.take(self._flows))
        self._flows, self._links = self._flows.take(kept), self._links.take(kept)
        self._weights = self._weights.take(kept)
        is_first = np.diff(self._flows, prepend=-1) != 0
        self._firsts[self._flows[is_first]] = np.flatnonzero(is_first)
        self._free += reversed(self._dead)
        self._dead = []

    def _reached(self, capacities: Numbers) -> Mask:
        """The flows that a change can reach: those at or above the floor that others of these link to it."""
        floor = self._floor
        if self._is_new.any():
            new_links = self._links[self._is_new.take(self._flows)]
            floor = min(floor, float((capacities[new_links] / self.weights_on_links()[new_links]).min()))
            floor = min(floor, float(self.caps[self._is_new].min()))
        is_open = self.is_live & (self._is_new | (self.rates >= floor * (1 - TIE_FRAC)))
        entries = np.flatnonzero(is_open.take(self._flows))
        flows, links = self._flows.take(entries), self._links.take(entries)
        touched, num_reached, num_open = self._is_touched.copy(), -1, int(is_open.sum())
        reached = self._is_new.copy()
        while num_reached < (num_reached := int(reached.sum())):
            if 2 * num_reached > num_open:
                return is_open  # to solve the rest too is cheaper than to tell it apart
            reached[flows[touched.take(links)]] = True
            touched[links[reached.take(flows)]] = True
        return reached

    def _mark_phase(self, slots: Indices) -> None:
        """Flows of equal size that go on together: the fast end first and leave the slow nothing they lack.

        Where a faster flow f crosses the bottleneck of a slower one g, f would have to be at most as fast as
        g. So f crosses none, and its end frees nothing that g is held up by. If they are all of one group,
        nobody need be told before the last of them ends.
        """
        remaining = self.remaining[slots]
        most = remaining.max(initial=0.0)
        is_equal = most < np.inf and most - remaining.min(initial=np.inf) <= TIE_FRAC * most
        self.is_phase[slots] = is_equal and len(slots) > 1
        finish_at_s = self.finish_at_s[slots]
        is_one = bool(self.is_phase[slots].all()) and bool(
            (self._groups[slots] == self._groups[slots[:1]]).all()
        )
        self._wake_at_s[slots] = finish_at_s.max(initial=0.0) if is_one else finish_at_s

    def _grown(self) -> int:
        """A slot more; arrays double when they are full."""
        slot = len(self.is_live)
        size = max(2 * slot, 16)
        self._free += range(size - 1, slot, -1)
        for name in ("is_live", "_is_new", "_is_told", "is_phase"):
            setattr(self, name, np.concatenate((getattr(self, name), np.zeros(size - slot, dtype=bool))))
        for name in ("_firsts", "_counts", "_groups"):
            setattr(self, name, np.concatenate((getattr(self, name), np.zeros(size - slot, dtype=np.int64))))
        for name in ("caps", "rates", "remaining", "started_at_s", "_moved"):
            setattr(self, name, np.concatenate((getattr(self, name), np.zeros(size - slot))))
        for name in ("finish_at_s", "_wake_at_s"):
            setattr(self, name, np.concatenate((getattr(self, name), np.full(size - slot, np.inf))))
        return slot
