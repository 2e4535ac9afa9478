"""The schedule of a fleet's lending: its windows and its autoscaler on the clock."""

from __future__ import annotations

import simpy
from simpy.events import ProcessGenerator

from dcsim.policies.autoscaler import Autoscaler, FleetLoad
from dcsim.sim.lending.switches import PausableFleet, ReplicaSwitches
from dcsim.sim.recurrence import Recurrence
from dcsim.spec.deployment import ServingDeployment
from dcsim.spec.lending import IdleWindow, Lending


class LendingSchedule:
    """Tells the switches how many replicas to have on: what the autoscaler wants, less in windows."""

    def __init__(
        self,
        environment: simpy.Environment,
        lending: Lending,
        deployment: ServingDeployment,
        fleet: PausableFleet,
        switches: ReplicaSwitches,
    ) -> None:
        self._environment, self._deployment = environment, deployment
        self._fleet, self._switches = fleet, switches
        self._num_off: dict[int, int] = {}  # replicas off by window that is open
        self._num_scaled = deployment.num_replicas
        for i, window in enumerate(lending.idle):
            environment.process(self._open_and_close(i, window))
        if lending.autoscaler is not None:
            environment.process(self._scale(lending.autoscaler))

    def _open_and_close(self, i: int, window: IdleWindow) -> ProcessGenerator:
        yield self._environment.timeout(window.start_s)
        number, recurrence = 0, self._recurrence("idle: windows")
        while True:
            recurrence.count()
            self._num_off[i] = window.num_replicas
            self._apply()
            yield self._until(window.start_s + number * (window.every_s or 0.0) + window.duration_s)
            del self._num_off[i]
            self._apply()
            if window.every_s is None:
                return
            number += 1
            yield self._until(window.start_s + number * window.every_s)

    def _until(self, instant_s: float) -> simpy.Event:
        return self._environment.timeout(max(instant_s - self._environment.now, 0.0))

    def _scale(self, autoscaler: Autoscaler) -> ProcessGenerator:
        recurrence = self._recurrence("autoscaler: decisions")
        while True:
            recurrence.count()
            began_at_s = self._environment.now
            yield self._environment.timeout(autoscaler.every_s)
            deployment = self._deployment
            load = FleetLoad(
                num_replicas=deployment.num_replicas,
                num_on=self._switches.num_wanted,
                mean_outstanding=self._fleet.mean_outstanding(began_at_s),
                max_num_seqs=deployment.max_num_seqs * deployment.num_lanes,
            )
            self._num_scaled = autoscaler.num_wanted(load)
            self._apply()

    def _recurrence(self, what: str) -> Recurrence:
        return Recurrence(
            self._environment, f"serving.{self._deployment.name}.lending.{what}", "Lengthen every"
        )

    def _apply(self) -> None:
        most_off = max(self._num_off.values(), default=0)
        self._switches.set_wanted(min(self._num_scaled, self._deployment.num_replicas - most_off))
