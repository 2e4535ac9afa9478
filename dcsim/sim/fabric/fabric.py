"""The fabric: transfers share links max-min fairly, and go round links that fail."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import count

import simpy

from dcsim.formulas.network.incast import IncastPenalty, incast_capacities
from dcsim.formulas.network.max_min import Numbers
from dcsim.networks.flow import AnyFlow
from dcsim.networks.network import Network
from dcsim.networks.routes import Route
from dcsim.policies.routing import Routing
from dcsim.policies.routings.ecmp import Ecmp
from dcsim.sim.fabric.active_flows import ActiveFlows
from dcsim.sim.fabric.fabric_log import FabricLog, Outage
from dcsim.sim.fabric.movement import AnyMovement, Member, Occupation, Transfer
from dcsim.sim.fabric.slots import Slots
from dcsim.sim.fabric.ways import Ways
from dcsim.tables.table import Table

_AFTER_ALL_ELSE = 2  # priority: rates are worked out once everything of an instant has happened


class Fabric:
    """Flows on one clock. All that starts, ends, fails or is repaired at one instant costs one solution.

    A flow first waits for the latency of its way, then shares its links. ``batching_frac`` lets rates be for
    a while: once a flow has ended, for that part of its duration others end at their rates as they are, and
    only then are shares worked out anew; 0 is exact. ``bin_s`` is the width of the bins in which the bytes on
    links are kept. A flow without a way waits, without an event, until a repair gives it one.
    """

    def __init__(
        self,
        environment: simpy.Environment,
        network: Network,
        *,
        routing: Routing | None = None,
        batching_frac: float = 0.0,
        incast: IncastPenalty | None = None,
        bin_s: float = math.inf,
    ) -> None:
        self.network = network
        self.num_solutions = 0
        self._environment, self._batching_frac, self._incast = environment, batching_frac, incast
        self._ways = Ways(network, routing or Ecmp())
        self._active, self._log = ActiveFlows(network.num_links), FabricLog(network.num_links, bin_s)
        self._slots = Slots(self._active)
        self._new: list[AnyMovement] = []  # of this instant, without ways yet
        self._arriving: list[Member] = []  # their latency is over
        self._stalled: list[Member] = []
        self._occupations: dict[Occupation, None] = {}
        self._advanced_at_s = float(environment.now)
        self._is_rewired = self._is_settling = self._is_batching = False
        self._wake: simpy.Event | None = None
        self._numbers = count()

    def transfer(self, flows: Sequence[AnyFlow], label: str) -> simpy.Event:
        """Send flows; the event succeeds when the last byte of all has arrived."""
        done = self._environment.event()
        number, now_s = next(self._numbers), float(self._environment.now)
        transfer = Transfer(number, label, tuple(flows), now_s, done=done, num_left=len(flows))
        self._log.transfers.append(transfer)
        self._new.append(transfer)
        if not flows:
            self._end(transfer)
        self._settle_now()
        return done

    def occupy(
        self, flows: Sequence[AnyFlow], label: str, on_change: Callable[[float], None] | None = None
    ) -> Occupation:
        """Keep flows going until ``release``. ``on_change`` is told the share whenever it changes."""
        return self._occupied(
            Occupation(next(self._numbers), label, tuple(flows), self.now_s, on_change=on_change)
        )

    def occupy_in_bursts(
        self,
        flows: Sequence[AnyFlow],
        label: str,
        on_change: Callable[[float], None],
        *,
        least_change_frac: float,
    ) -> Occupation:
        """As ``occupy``, for flows that send in bursts; see :class:`Occupation`."""
        occupation = Occupation(next(self._numbers), label, tuple(flows), self.now_s, on_change=on_change)
        occupation.in_bursts, occupation.least_change_frac = True, least_change_frac
        return self._occupied(occupation)

    @property
    def now_s(self) -> float:
        """The present instant."""
        return float(self._environment.now)

    def _occupied(self, occupation: Occupation) -> Occupation:
        self._occupations[occupation] = None
        self._new.append(occupation)
        self._settle_now()
        return occupation

    def release(self, occupation: Occupation) -> None:
        """End an occupation. Releasing it again does nothing."""
        if occupation.is_released:
            return
        occupation.is_released = True
        del self._occupations[occupation]
        self._advance()
        self._slots.leave(occupation.members)
        self._stalled = [member for member in self._stalled if not member.is_released]
        self._settle_now()

    def fail(self, *cables: int) -> None:
        """Take cables out of service: flows go round them, or stall until there is a way again."""
        self._ways.switch(cables, is_up=False)
        self._is_rewired = True
        self._settle_now()

    def repair(self, *cables: int) -> None:
        """Put cables back into service: flows return to the ways they had."""
        self._ways.switch(cables, is_up=True)
        self._is_rewired = True
        self._settle_now()

    def record_outage(self, outage: Outage) -> None:
        """Write down what is out of service, for the table of outages."""
        self._log.outages.append(outage)

    def link_bytes_per_s(self) -> Numbers:
        """What each link carries now."""
        self._advance()
        return self._active.loads()

    def tables(self) -> Mapping[str, Table]:
        """The tables links, link_loads, transfers and fabric_outages, up to now."""
        self._advance()
        self._log.add(self._active.taken_loads())
        return self._log.tables(self.network, self._environment.now)

    def _advance(self) -> None:
        """Move all flows up to now, bin by bin."""
        now_s = float(self._environment.now)
        if not self._active.num_live and self._log.bin_ends_at_s < now_s:
            self._log.add(self._active.taken_loads())
            self._log.next_bin(now_s)
            self._advanced_at_s = now_s
        while self._log.bin_ends_at_s <= now_s:
            self._active.advance(self._log.bin_ends_at_s - self._advanced_at_s)
            self._advanced_at_s = max(self._advanced_at_s, self._log.bin_ends_at_s)
            self._log.add(self._active.taken_loads())
            self._log.next_bin(self._advanced_at_s)
        self._active.advance(now_s - self._advanced_at_s)
        self._advanced_at_s = now_s

    def _settle_now(self) -> None:
        """Work out rates as soon as everything else of the instant has happened."""
        if not self._is_settling:
            self._is_settling = True
            self._call(self._settle, 0.0, _AFTER_ALL_ELSE)

    def _call(self, callback: Callable[[simpy.Event], None], delay_s: float, priority: int) -> simpy.Event:
        event = simpy.Event(self._environment)
        event._ok, event._value = True, None
        event.callbacks = [callback]
        self._environment.schedule(event, priority=priority, delay=delay_s)  # type: ignore[arg-type]
        return event

    def _settle(self, _event: simpy.Event) -> None:
        """Bring everything up to date with this instant, then plan the next one."""
        self._is_settling = self._is_batching = False
        self._advance()
        self._end_due()
        self._slots.drop_ended(self._environment.now)
        is_rewired, self._is_rewired = self._is_rewired, False
        if is_rewired:
            self._reroute()
        new, self._new = self._new, []
        self._start(new)
        arriving, self._arriving = self._arriving, []
        self._join(arriving)
        is_changed = is_rewired or bool(arriving) or self._active.is_dirty
        if self._active.is_dirty:
            self._solve()
        if is_changed:
            self._tell_all()
        self._plan_wake()

    def _start(self, new: list[AnyMovement]) -> None:
        """Find ways for the flows of new movements, and let those of transfers wait for the latency."""
        routes = iter(self._ways.of([flow for movement in new for flow in movement.flows]))
        is_detour, waiting = not self._ways.is_whole, dict[float, list[Member]]()
        for movement in new:
            if isinstance(movement, Occupation):
                movement.members = [
                    Member(
                        flow, movement, math.inf, route, None, is_detour, self._asked(movement, flow, route)
                    )
                    for flow, route in zip(movement.flows, routes)  # noqa: B905 (routes go on)
                ]
                self._arriving += movement.members
                continue
            for flow, route in zip(movement.flows, routes):  # noqa: B905
                member = Member(flow, movement, flow.num_bytes, route, None, is_detour)
                if route.latency_s > 0:
                    waiting.setdefault(route.latency_s, []).append(member)
                else:
                    self._arriving.append(member)
        for latency_s, members in waiting.items():
            self._call(lambda _event, members=members: self._arrive(members), latency_s, 1)  # type: ignore[misc]

    def _asked(self, occupation: Occupation, flow: AnyFlow, route: Route) -> float:
        """What a flow of an occupation asks for: in bursts, all that its node can send."""
        if occupation.in_bursts:
            return self._ways.sent_bytes_per_s(flow)
        limit = flow.max_bytes_per_s
        return limit if limit < math.inf else self._ways.alone_bytes_per_s(route)

    def _arrive(self, members: list[Member]) -> None:
        self._arriving += members
        self._settle_now()

    def _join(self, members: list[Member]) -> None:
        """Give flows their slots; those that need none are done, those without a way stall."""
        members = [member for member in members if not member.is_released]
        if not self._ways.is_whole:
            self._find_ways([member for member in members if not self._ways.is_passable(member.route)])
        joining = []
        for member in members:
            if not member.route.is_open:
                self._stalled.append(member)
                member.movement.stall(1, self._environment.now)
            elif len(member.route.links) and member.remaining > 0:
                joining.append(member)
            elif isinstance(member.movement, Transfer):
                self._complete(member.movement)
        self._slots.join(joining, self._environment.now)

    def _reroute(self) -> None:
        """Ways round what is down now, for flows on it, on detours, or without a way."""
        moving = self._slots.to_reroute(~self._ways.is_up)
        self._slots.leave(moving)
        for member in self._stalled:
            member.movement.stall(-1, self._environment.now)
        self._find_ways([*moving, *self._stalled])
        self._arriving += [*moving, *self._stalled]
        self._stalled = []

    def _find_ways(self, members: list[Member]) -> None:
        for member, route in zip(members, self._ways.of([m.flow for m in members]), strict=True):
            member.route, member.is_detour = route, not self._ways.is_whole

    def _solve(self) -> None:
        capacities = self._ways.bytes_per_s
        if self._incast is not None:
            fan_in = self._active.weights_on_links() * self.network.num_ports_at_end()
            is_end = ~self.network.forwards[self.network.destinations]
            capacities = incast_capacities(capacities, fan_in, is_end, self._incast)
            self._active.touch()
        self._active.resolve(capacities, self._environment.now, self._ways.state)
        self.num_solutions += 1

    def _tell_all(self) -> None:
        """Tell occupations of their shares, until one of them changes the fabric: then all after that."""
        for occupation in list(self._occupations):
            if self._active.is_dirty:
                return
            if not occupation.is_released:
                self._tell(occupation)

    def _tell(self, occupation: Occupation) -> None:
        if occupation.in_bursts:
            share = self._slots.burst_share_frac(occupation, self._ways.bytes_per_s, self._ways.state)
        else:
            share = self._slots.share_frac(occupation)
        if abs(share - occupation.share_frac) > occupation.least_change_frac:
            occupation.share_frac = share
            if occupation.on_change is not None:
                occupation.on_change(share)

    def _plan_wake(self) -> None:
        """Wake when the next flow ends, if any does."""
        finish_at_s = self._active.next_wake_at_s
        self._wake = None
        if finish_at_s < math.inf:
            delay_s = max(finish_at_s - self._environment.now, 0.0)
            self._wake = self._call(self._on_wake, delay_s, 1)

    def _on_wake(self, event: simpy.Event) -> None:
        """Let the flows end that are due; replaced wake-ups do nothing."""
        if event is not self._wake:
            return
        changes_rates, duration_s = self._end_due()
        if changes_rates and self._batching_frac == 0:
            self._settle_now()
        elif changes_rates and not self._is_batching:
            self._is_batching = True
            self._call(self._settle, self._batching_frac * duration_s, _AFTER_ALL_ELSE)
        if not self._is_settling:
            self._plan_wake()

    def _end_due(self) -> tuple[bool, float]:
        """Tell of the flows that end now; whether that changes rates, and after how long.

        They stay in their slots, where they move no more, until rates are worked out again.
        """
        members, changes_rates, duration_s = self._slots.newly_ended(self._environment.now)
        for member in members:
            assert isinstance(member.movement, Transfer)
            self._complete(member.movement)
        return changes_rates, duration_s

    def _complete(self, transfer: Transfer) -> None:
        """One flow of a transfer is done."""
        transfer.num_left -= 1
        if transfer.num_left == 0:
            self._end(transfer)

    def _end(self, transfer: Transfer) -> None:
        transfer.finished_at_s = self._environment.now
        assert transfer.done is not None
        transfer.done.succeed()
