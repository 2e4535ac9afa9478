"""The switches of a fleet's replicas: off when they have finished, on when their weights are there again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum, auto
from typing import Protocol

import simpy
from simpy.events import ProcessGenerator

from dcsim.sim.lending.lender import NodeLender, PausableGroup
from dcsim.sim.lending.log import LendingLog, Pause
from dcsim.sim.serving.outage import Recovery, ServingFleet


class PausableFleet(ServingFleet, Protocol):
    """A fleet whose replicas can be switched off."""

    def rest(self, replica: int, on_idle: Callable[[int], None]) -> None:
        """It gets no requests from now on; tell when those that it has are done."""

    def resume(self, replica: int) -> None:
        """It gets requests again."""

    def mean_outstanding(self, started_at_s: float) -> float:
        """Requests that wait or run, mean from an instant until now."""


class _State(Enum):
    FINISHING = auto()
    OFF = auto()
    STARTING = auto()


class ReplicaSwitches:
    """Keeps the first replicas on, as many as are wanted; the last are the first to go.

    A replica that is switched off takes no new requests, finishes what it has, and is off. Wanted back before
    that, it goes on. A start under way is ended even if the replica is not wanted any more.
    """

    def __init__(
        self,
        environment: simpy.Environment,
        name: str,
        fleet: PausableFleet,
        groups: Sequence[PausableGroup],
        lender: NodeLender,
        log: LendingLog,
    ) -> None:
        self._environment, self._name, self._fleet = environment, name, fleet
        self._lender, self._log = lender, log
        self._group_of = {replica: one for one in groups for replica in one.outages.replicas}
        self._states: dict[int, _State] = {}  # of replicas that are not on
        self._pauses: dict[int, Pause] = {}
        self.num_wanted = len(self._group_of)

    def set_wanted(self, num_replicas: int) -> None:
        """So many replicas are to be on."""
        before, self.num_wanted = self.num_wanted, num_replicas
        for replica in range(before - 1, num_replicas - 1, -1):
            self._switch_off(replica)
        starting: dict[PausableGroup, list[int]] = {}
        for replica in range(before, num_replicas):
            if self._switch_on(replica):
                starting.setdefault(self._group_of[replica], []).append(replica)
        for group, replicas in starting.items():
            self._lender.take_back(group)
            self._environment.process(self._start(group, replicas))

    def _switch_off(self, replica: int) -> None:
        if replica not in self._states:
            self._states[replica] = _State.FINISHING
            self._pauses[replica] = self._log.pause(self._name, replica, self._environment.now)
            self._fleet.rest(replica, self._on_idle)

    def _on_idle(self, replica: int) -> None:
        """It has finished; or its node is back after a failure, while it was off."""
        if self._states[replica] is _State.FINISHING:
            self._pauses[replica].off_at_s = self._environment.now
            self._turn_off(replica)
        elif self._states[replica] is _State.OFF:
            self._lender.offer(self._group_of[replica])

    def _turn_off(self, replica: int) -> None:
        self._states[replica] = _State.OFF
        group = self._group_of[replica]
        group.off.add(replica)
        self._lender.offer(group)

    def _switch_on(self, replica: int) -> bool:
        """Whether it must be started for that."""
        pause = self._pauses[replica]
        pause.wanted_at_s = self._environment.now
        is_off = self._states[replica] is _State.OFF
        if is_off:
            self._states[replica] = _State.STARTING
            self._group_of[replica].off.discard(replica)
        elif self._states[replica] is _State.FINISHING:
            self._turn_on(replica)
        return is_off

    def _turn_on(self, replica: int) -> None:
        del self._states[replica]
        self._pauses.pop(replica).serving_at_s = self._environment.now
        self._fleet.resume(replica)

    def _start(self, group: PausableGroup, replicas: Sequence[int]) -> ProcessGenerator:
        """Start the processes of replicas that share nodes and load their weights, once for all of them.

        A group that is down, or fails meanwhile, starts as soon as it has nodes, see ``GroupOutages``: its
        replicas serve when that is done.
        """
        if not group.outages.is_down:
            yield from _started(self._environment, group.recovery, group.outages.nodes)
        while group.outages.is_down:
            yield group.outages.came_back
        for replica in replicas:
            if replica < self.num_wanted:
                self._turn_on(replica)
            else:
                self._pauses[replica].wanted_at_s = float("nan")
                self._turn_off(replica)


def _started(environment: simpy.Environment, recovery: Recovery, nodes: Sequence[int]) -> ProcessGenerator:
    yield environment.timeout(recovery.times.initialization_s)
    yield recovery.load_weights(nodes)
    yield environment.timeout(recovery.times.warmup_s)
