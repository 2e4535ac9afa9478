"""Active flows: rates, remaining bytes and routes of what is under way, in arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain

import numpy as np

from dcsim.formulas.network.max_min import Incidence, Indices, Mask, Numbers, max_min_rates, summed
from dcsim.networks.routes import Route
from dcsim.sim.fabric.entries import Entries
from dcsim.sim.fabric.solutions import MAX_FLOWS, Kind, Phase, Solutions, Together, together

TIE_FRAC = 1e-12  # differences below are rounding
_NEAR_FRAC = 1e-9  # of the time: a first, coarse choice of flows that may be due
_MIN_SWEPT = 1_024  # entries of empty slots before they are dropped
_NONE: Indices = np.empty(0, dtype=np.int64)


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
        self._entries = Entries()
        self._num_entries = 0  # of flows under way
        self._carried = np.zeros(num_links)  # by links, by way of entries that were dropped
        self._groups = np.empty(0, dtype=np.int64)
        self._free: list[int] = []  # empty slots without entries
        self._idle: dict[Route, list[int]] = {}  # empty slots whose entries still stand
        self.is_live, self._is_new = np.empty(0, dtype=bool), np.empty(0, dtype=bool)
        self._is_told = np.empty(0, dtype=bool)  # whether its end was told; it goes with the next solution
        self.is_phase = np.empty(0, dtype=bool)  # whether its end changes no other rate
        self.caps, self.rates, self.remaining = np.empty(0), np.empty(0), np.empty(0)
        self.started_at_s, self.finish_at_s, self._moved = np.empty(0), np.empty(0), np.empty(0)
        self._wake_at_s = np.empty(0)
        self._changed: list[Indices] = []  # slots of flows that came or went since the last solution
        self._are_links_changed = False  # since then
        self._first_end_at_s = np.inf  # no flow ends before
        self._floor = np.inf  # rates below stay as they are
        self.num_live = 0
        self._routes: dict[int, Route] = {}
        self._solutions = Solutions()
        self._among: Together | None = None  # what is under way, where it has been asked for
        self._last: tuple[Phase, Numbers] | None = None  # many flows at once, and their rates: steps repeat

    @property
    def is_dirty(self) -> bool:
        """Whether flows came or went, or links changed, since the last ``resolve``."""
        return self._are_links_changed or bool(self._changed)

    def add(self, arrivals: Arrivals, now_s: float) -> list[int]:
        """Let flows in and return their slots. They have no rate before ``resolve``."""
        slots = self._slots_for(arrivals.routes)
        at = np.array(slots, dtype=np.int64)
        self.is_live[at], self._is_new[at], self.is_phase[at] = True, True, False
        self._is_told[at] = False
        self.caps[at], self.remaining[at] = arrivals.caps, arrivals.num_bytes
        self._groups[at] = arrivals.groups
        self.rates[at] = 0.0
        self.started_at_s[at], self.finish_at_s[at], self._wake_at_s[at] = now_s, np.inf, np.inf
        self._routes.update(zip(slots, arrivals.routes, strict=True))
        self._count(at, 1)
        return slots

    def remove(self, slots: Indices) -> None:
        """Let flows go. What they leave to others is theirs after ``resolve``."""
        solved = slots[~self._is_new[slots]]
        self._floor = min(self._floor, float(self.rates[solved].min(initial=np.inf)))
        self.is_live[slots], self._is_new[slots] = False, False
        self.rates[slots], self.finish_at_s[slots], self._wake_at_s[slots] = 0.0, np.inf, np.inf
        for slot in slots.tolist():
            self._idle.setdefault(self._routes.pop(slot), []).append(slot)
        self._count(slots, -1)

    def _slots_for(self, routes: Sequence[Route]) -> list[int]:
        """A slot for each flow: one left on the same route, entries and all, if there is one."""
        slots, new = [], []
        for route in routes:
            idle = self._idle.get(route)
            if idle:
                slots.append(idle.pop())
            else:
                slots.append(self._free.pop() if self._free else self._grown())
                new.append((slots[-1], route))
        if new:
            at = np.array([slot for slot, _ in new], dtype=np.int64)
            self._entries.append(at, [route for _, route in new])
            self._moved[at] = 0.0
        return slots

    def _count(self, slots: Indices, change: int) -> None:
        self.num_live += change * len(slots)
        self._num_entries += change * int(self._entries.counts[slots].sum())
        self._among = None
        self._changed.append(slots)

    def touch(self) -> None:
        """Say that capacities of links have changed."""
        self._are_links_changed, self._floor = True, 0.0

    def advance(self, duration_s: float) -> None:
        """Let all flows move for a while at their rates."""
        if duration_s > 0:
            moved = np.minimum(self.rates * duration_s, self.remaining)  # some of a phase have ended unseen
            self._moved += moved
            self.remaining -= moved

    def due(self, now_s: float) -> Indices:
        """The slots of flows that end now."""
        if self._first_end_at_s > now_s * (1 + _NEAR_FRAC):
            return _NONE
        slots = np.flatnonzero(self.finish_at_s <= now_s * (1 + _NEAR_FRAC))
        ahead_s = self.finish_at_s[slots] - now_s
        near_s = np.maximum(TIE_FRAC * (now_s - self.started_at_s[slots]), 2 * np.spacing(now_s))
        due: Indices = slots[ahead_s <= near_s]
        return due

    def newly_due(self, now_s: float) -> Indices:
        """The slots of flows that end now, or did, each told once."""
        slots = self.due(now_s)
        if not len(slots):
            return slots
        slots = slots[~self._is_told[slots]]
        self._is_told[slots], self._wake_at_s[slots] = True, np.inf
        return slots

    def taken_loads(self) -> Numbers:
        """Bytes that each link has carried since this was last asked."""
        loads = self._carried + self._on_links(self._moved)
        self._carried, self._moved[:] = np.zeros(self._num_links), 0.0
        return loads

    def loads(self) -> Numbers:
        """What each link carries now, in bytes per second."""
        return self._on_links(self.rates * (self.remaining > 0))

    def burst_bytes_per_s(self, slots: Sequence[int], capacities: Numbers, state: int) -> list[float]:
        """What a burst of each flow finds: on each link what others leave, or its fair share if more."""
        if self.num_live > MAX_FLOWS:
            return [self._burst(slot, capacities) for slot in slots]
        among = self._together(state)
        return [
            self._solutions.burst(among, self._routes[slot], partial(self._burst, slot, capacities))
            for slot in slots
        ]

    def _burst(self, slot: int, capacities: Numbers) -> float:
        entries = self._entries.of(slot)
        links, own = self._entries.links[entries], self._entries.weights[entries]
        left = capacities[links] - (self.loads()[links] - own * self.rates[slot])
        fair = capacities[links] * own / self.weights_on_links()[links]
        return float((np.maximum(left, fair) / own).min())

    def weights_on_links(self) -> Numbers:
        """The sum of the weights of the flows on each link."""
        return self._on_links(self.is_live)

    def _on_links(self, values: Numbers | Mask) -> Numbers:
        """The sum of the flows' values on each link, weighted."""
        entries = self._entries
        return summed(entries.links, entries.weights * values.take(entries.flows), self._num_links)

    def crossing(self, is_chosen: Mask) -> Indices:
        """The slots of flows that cross any of the links."""
        slots = np.unique(self._entries.flows[is_chosen.take(self._entries.links)])
        return slots[self.is_live[slots]]

    def resolve(self, capacities: Numbers, now_s: float, state: int) -> None:
        """Share the links anew. ``state`` is a number of its own for each set of capacities."""
        slots = self._known(state)
        if slots is None:
            slots, self.rates[slots] = self._solution(capacities)
            self._remember(state)
        with np.errstate(divide="ignore"):
            self.finish_at_s[slots] = now_s + np.maximum(self.remaining[slots], 0.0) / self.rates[slots]
        self._mark_phase(slots)
        self._first_end_at_s = float(self.finish_at_s.min(initial=np.inf))
        self._is_new[:], self._are_links_changed, self._floor = False, False, np.inf
        self._changed = []

    def _together(self, state: int) -> Together:
        if self._among is None or self._among[0] != state:
            self._among = together(state, self._kinds(np.flatnonzero(self.is_live)))
        return self._among

    def _kinds(self, slots: Indices) -> list[Kind]:
        routes = [self._routes[slot] for slot in slots.tolist()]
        return list(zip(routes, self.caps[slots].tolist(), strict=True))

    def _known(self, state: int) -> Indices | None:
        """The flows under way, their rates set, if they were together before."""
        live = np.flatnonzero(self.is_live)
        if self.num_live > MAX_FLOWS:
            if self._last is None or not self._last[0].is_same(self._phase(state, live)):
                return None
            self.rates[live] = self._last[1]
            return live
        rates = self._solutions.rates(self._together(state))
        if rates is None:
            return None
        self.rates[live] = [rates[kind] for kind in self._kinds(live)]
        return live

    def _remember(self, state: int) -> None:
        live = np.flatnonzero(self.is_live)
        if self.num_live > MAX_FLOWS:
            self._last = (self._phase(state, live), self.rates[live])
        else:
            self._solutions.keep(self._together(state), self._kinds(live), self.rates[live].tolist())

    def _phase(self, state: int, live: Indices) -> Phase:
        return Phase(state, self._entries.version, live, self.caps[live])

    def _solution(self, capacities: Numbers) -> tuple[Indices, Numbers]:
        """The flows that a change can reach, and their rates beside the others, which keep theirs."""
        touched = np.full(self._num_links, self._are_links_changed)
        touched[self._entries.links_of(np.concatenate([_NONE, *self._changed]))] = True
        self._drop_idle()
        reached = self._reached(capacities, touched)
        flows, links, weights = self._entries.flows, self._entries.links, self._entries.weights
        chosen = reached.take(flows)
        entries, held = np.flatnonzero(chosen), np.flatnonzero(~chosen)
        held_rates = self.rates.take(flows.take(held)) * weights.take(held)
        left = np.maximum(capacities - summed(links.take(held), held_rates, self._num_links), 0.0)
        numbers, slots = np.cumsum(reached) - 1, np.flatnonzero(reached)
        incidence = Incidence(
            numbers.take(flows.take(entries)),
            links.take(entries),
            weights.take(entries),
            self.caps.take(slots),
        )
        return slots, max_min_rates(left, incidence)

    @property
    def next_wake_at_s(self) -> float:
        """When the next flow ends whose end matters to others, at the rates of now; infinite if none does."""
        return float(self._wake_at_s.min(initial=np.inf))

    def complete(self, slots: Indices) -> None:
        """Count the last bytes of flows that are due: what rounding left of them."""
        self._moved[slots] += self.remaining[slots]
        self.remaining[slots] = 0.0

    def _drop_idle(self) -> None:
        """Drop the entries of empty slots, once there are as many as of flows under way."""
        if len(self._entries) < _MIN_SWEPT + 2 * self._num_entries:
            return
        self._carried = self.taken_loads()
        self._entries.keep(self.is_live)
        self._free += sorted(chain.from_iterable(self._idle.values()), reverse=True)
        self._idle = {}

    def _reached(self, capacities: Numbers, touched: Mask) -> Mask:
        """The flows that a change can reach: those at or above the floor that others of these link to it."""
        floor = self._floor
        if self._is_new.any():
            new_links = self._entries.links[self._is_new.take(self._entries.flows)]
            floor = min(floor, float((capacities[new_links] / self.weights_on_links()[new_links]).min()))
            floor = min(floor, float(self.caps[self._is_new].min()))
        is_open = self.is_live & (self._is_new | (self.rates >= floor * (1 - TIE_FRAC)))
        entries = np.flatnonzero(is_open.take(self._entries.flows))
        flows, links = self._entries.flows.take(entries), self._entries.links.take(entries)
        reached, num_reached, num_open = self._is_new.copy(), -1, int(is_open.sum())
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
        is_equal = len(slots) > 1 and _are_equal(self.remaining[slots])
        self.is_phase[slots] = is_equal
        finish_at_s = self.finish_at_s[slots]
        is_one = is_equal and bool((self._groups[slots] == self._groups[slots[:1]]).all())
        self._wake_at_s[slots] = finish_at_s.max(initial=0.0) if is_one else finish_at_s

    def _grown(self) -> int:
        """A slot more; arrays double when they are full."""
        slot = len(self.is_live)
        size = max(2 * slot, 16)
        self._free += range(size - 1, slot, -1)
        for name in ("is_live", "_is_new", "_is_told", "is_phase"):
            setattr(self, name, np.concatenate((getattr(self, name), np.zeros(size - slot, dtype=bool))))
        self._groups = np.concatenate((self._groups, np.zeros(size - slot, dtype=np.int64)))
        self._entries.grow(size)
        for name in ("caps", "rates", "remaining", "started_at_s", "_moved"):
            setattr(self, name, np.concatenate((getattr(self, name), np.zeros(size - slot))))
        for name in ("finish_at_s", "_wake_at_s"):
            setattr(self, name, np.concatenate((getattr(self, name), np.full(size - slot, np.inf))))
        return slot


def _are_equal(sizes: Numbers) -> bool:
    """Whether finite sizes differ by rounding alone."""
    most = sizes.max()
    return bool(most < np.inf and most - sizes.min() <= TIE_FRAC * most)
