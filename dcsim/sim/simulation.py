"""One replication of a scenario: everything that is simulated, on one clock."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import simpy

from dcsim.sim.requests import generate
from dcsim.sim.serving.fleet import Fleet
from dcsim.sim.serving.formula_timer import FormulaTimer
from dcsim.sim.streams import Streams
from dcsim.spec.deployment import resolve_deployment
from dcsim.spec.scenario import Scenario
from dcsim.tables import RunTables

_NUM_SLICES = 200  # how often a run reports its progress while requests come
_DRAIN_GROWTH = 0.05  # after that, at instants growing by this fraction


def simulate(
    scenario: Scenario,
    replication: int,
    *,
    on_progress: Callable[[float], None] | None = None,
    is_stepwise: bool = False,
) -> RunTables:
    """Run one replication and return the tables of each serving workload, by name.

    ``on_progress`` is told the fraction done, 0 to 1. ``is_stepwise`` turns fast-forward off: every engine
    step becomes one row, for checks. Raises InfeasibleError where a model does not fit.
    """
    environment = simpy.Environment()
    streams = Streams(scenario.seed, replication)
    fleets = [_fleet(scenario, name, environment, streams, is_stepwise) for name in scenario.serving]
    for fleet in fleets:
        fleet.start()
    for until_s in _slices(max(fleet.arrivals_end_s for fleet in fleets), environment, fleets):
        environment.run(until=until_s)
        for fleet in fleets:
            fleet.advance(min(until_s, fleet.limit_s))
        if on_progress:
            on_progress(min(_progress_frac(fleet, until_s) for fleet in fleets))
    return RunTables({name: fleet.finish() for name, fleet in zip(scenario.serving, fleets, strict=True)})


def _fleet(
    scenario: Scenario, name: str, environment: simpy.Environment, streams: Streams, is_stepwise: bool
) -> Fleet:
    deployment = resolve_deployment(scenario, name)
    traffic = scenario.serving[name].traffic
    stream = generate(traffic, scenario.folder, scenario.duration_s, streams, name)
    timer = FormulaTimer(deployment.deployment, deployment.max_num_seqs, deployment.max_num_batched_tokens)
    return Fleet(
        environment,
        deployment,
        stream,
        streams,
        timer,
        duration_s=scenario.duration_s,
        drain_s=scenario.drain_s,
        is_stepwise=is_stepwise,
    )


def _slices(arrivals_end_s: float, environment: simpy.Environment, fleets: list[Fleet]) -> Iterator[float]:
    """Instants at which the run stops to report: evenly while requests come, ever wider after that."""
    if math.isfinite(arrivals_end_s):
        yield from (arrivals_end_s * i / _NUM_SLICES for i in range(1, _NUM_SLICES + 1) if arrivals_end_s)
    limit_s = max(fleet.limit_s for fleet in fleets)
    while not all(fleet.is_done for fleet in fleets) and environment.now < limit_s:
        yield min(environment.now + max(1.0, _DRAIN_GROWTH * environment.now), limit_s)


def _progress_frac(fleet: Fleet, now_s: float) -> float:
    expected = fleet.num_expected
    done = fleet.num_ended / expected if expected else now_s / max(fleet.arrivals_end_s, now_s)
    return min(done, 1.0)
