"""Slots: which flow is in which slot of the arrays."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from dcsim.formulas.network.max_min import Indices, Mask, Numbers
from dcsim.sim.fabric.active_flows import ActiveFlows, Arrivals
from dcsim.sim.fabric.movement import Member, Occupation


class Slots:
    """Members in the slots of ActiveFlows."""

    def __init__(self, active: ActiveFlows) -> None:
        self._active = active
        self._in_slot: dict[int, Member] = {}

    def join(self, members: list[Member], now_s: float) -> None:
        """Put members into slots, on their routes."""
        if not members:
            return
        arrivals = Arrivals(
            routes=[member.route for member in members],
            num_bytes=[member.remaining for member in members],
            caps=[member.flow.max_bytes_per_s for member in members],
            groups=[member.movement.number for member in members],
        )
        slots = self._active.add(arrivals, now_s)
        for member, slot in zip(members, slots, strict=True):
            member.slot = slot
            self._in_slot[slot] = member

    def leave(self, members: Iterable[Member]) -> None:
        """Take members out; what is left of them they remember."""
        slots = [member.slot for member in members if member.slot is not None]
        if slots:
            self._empty(np.array(slots, dtype=np.int64))

    def _empty(self, slots: Indices) -> None:
        for slot, remaining in zip(slots.tolist(), self._active.remaining[slots].tolist(), strict=True):
            member = self._in_slot.pop(slot)
            member.slot, member.remaining = None, remaining
        self._active.remove(slots)

    def newly_ended(self, now_s: float) -> tuple[list[Member], bool, float]:
        """Members whose end has come and was not told before; whether that changes rates; their least age."""
        slots = self._active.newly_due(now_s)
        if not len(slots):
            return [], False, math.inf
        members = [self._in_slot[slot] for slot in slots.tolist()]
        changes_rates = not bool(self._active.is_phase[slots].all())
        return members, changes_rates, float((now_s - self._active.started_at_s[slots]).min())

    def drop_ended(self, now_s: float) -> None:
        """Take out all members that have ended. All must have moved up to now."""
        slots = self._active.due(now_s)
        if len(slots):
            self._active.complete(slots)
            self._empty(slots)

    def to_reroute(self, is_down: Mask) -> list[Member]:
        """Members on links that are down, and those on detours."""
        crossing = set(self._active.crossing(is_down).tolist())
        return [m for slot, m in sorted(self._in_slot.items()) if slot in crossing or m.is_detour]

    def burst_share_frac(self, occupation: Occupation, capacities: Numbers, state: int) -> float:
        """The least part that a burst of an occupation finds of the rate at which its node sends."""
        moving = [one for one in occupation.members if len(one.route.links) or not one.route.is_open]
        if any(member.slot is None for member in moving):
            return 0.0
        slots = [member.slot for member in moving if member.slot is not None]
        found = self._active.burst_bytes_per_s(slots, capacities, state)
        shares = (rate / member.asked_bytes_per_s for rate, member in zip(found, moving, strict=True))
        return min([1.0, *shares])

    def share_frac(self, occupation: Occupation) -> float:
        """The least part that a flow of an occupation gets of what it asked."""
        share = 1.0
        for member in occupation.members:
            if not len(member.route.links) and member.route.is_open:
                continue  # from a node to itself
            rate = 0.0 if member.slot is None else float(self._active.rates[member.slot])
            share = min(share, rate / member.asked_bytes_per_s)
        return share
