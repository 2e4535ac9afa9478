"""Breakdowns of the fabric: cables and switches that fail by chance or by plan, and their repair."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import simpy

from dcsim.sim.fabric.fabric import Fabric
from dcsim.sim.fabric.fabric_log import Outage
from dcsim.sim.recurrence import Recurrence


class Breakdowns:
    """Takes cables out of service and puts them back. One that two outages share returns with the later."""

    def __init__(self, environment: simpy.Environment, fabric: Fabric) -> None:
        self._environment, self._fabric = environment, fabric
        self._num_outages: Counter[int] = Counter()  # by cable
        remedy = "Lengthen switch_mtbf or cable_mtbf"
        self._recurrence = Recurrence(environment, "cluster.fabric.failures: outages", remedy)

    def plan(self, outages: Sequence[Outage]) -> None:
        """Put known outages on the clock."""
        for outage in outages:
            self._environment.process(self._planned(outage))

    def draw(self, units: Sequence[Outage], mtbf_s: float, rng: np.random.Generator) -> None:
        """Let each of the units fail with exponential times of that mean, all drawn from one stream."""
        if units:
            self._environment.process(self._drawn(units, mtbf_s, rng))

    def _planned(self, outage: Outage) -> simpy.events.ProcessGenerator:
        yield self._environment.timeout(max(outage.started_at_s - self._environment.now, 0.0))
        yield from self._out_of_service(outage)

    def _drawn(
        self, units: Sequence[Outage], mtbf_s: float, rng: np.random.Generator
    ) -> simpy.events.ProcessGenerator:
        """Failures of many equal units are one Poisson process; which one it is, is drawn with equal chance.

        A unit that is out of service already does not fail again: such a draw passes without effect.
        """
        while True:
            yield self._environment.timeout(float(rng.exponential(mtbf_s / len(units))))
            self._recurrence.count()
            unit = units[int(rng.integers(len(units)))]
            if any(self._num_outages[cable] == 0 for cable in unit.cables):
                now_s = float(self._environment.now)
                outage = Outage(unit.what, unit.cables, now_s, float(rng.exponential(unit.duration_s)))
                self._environment.process(self._out_of_service(outage))

    def _out_of_service(self, outage: Outage) -> simpy.events.ProcessGenerator:
        self._fabric.record_outage(outage)
        down = [cable for cable in outage.cables if not self._num_outages[cable]]
        self._num_outages.update(outage.cables)
        self._fabric.fail(*down)
        yield self._environment.timeout(outage.duration_s)
        self._num_outages.subtract(outage.cables)
        self._fabric.repair(*(cable for cable in outage.cables if not self._num_outages[cable]))
