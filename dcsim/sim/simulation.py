"""One replication of a scenario: everything that is simulated, on one clock."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import simpy

from dcsim.sim.requests import generate
from dcsim.sim.serving.disaggregated_fleet import DisaggregatedFleet
from dcsim.sim.serving.fleet import Fleet
from dcsim.sim.serving.formula_timer import FormulaTimer
from dcsim.sim.serving.kv_carrier import KvCarrier
from dcsim.sim.streams import Streams
from dcsim.sim.world import World
from dcsim.spec.deployment import resolve_deployment
from dcsim.spec.lending import lends
from dcsim.spec.pools import num_serving_nodes
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
    """Run one replication and return what it wrote.

    ``on_progress`` is told the fraction done, 0 to 1. ``is_stepwise`` turns fast-forward off: every engine
    step becomes one row, for checks. Raises InfeasibleError where a model does not fit.
    """
    environment, fleets, world = _prepared(scenario, replication, is_stepwise)
    for until_s in _slices(environment, fleets, world):
        if environment.now >= until_s or (not fleets and world.is_over):
            break
        world.run_until(until_s)
        for fleet in fleets:
            fleet.advance(min(until_s, fleet.limit_s))
        if on_progress:
            shares = [_progress_frac(fleet, until_s) for fleet in fleets]
            on_progress(min([*shares, max(world.done_frac, until_s / max(world.limit_s, until_s))]))
    serving = {name: fleet.finish() for name, fleet in zip(scenario.serving, fleets, strict=True)}
    cluster = world.finish()
    return RunTables(serving, cluster, environment.now if cluster else 0.0)


def require_startable(scenario: Scenario) -> None:
    """Raise what :func:`simulate` would raise before its clock starts, in the first replication.

    Files are read and everything is built: models that do not fit, nodes that do not suffice, failures or
    repetitions without end, all that can be told beforehand.
    """
    _prepared(scenario, 0, is_stepwise=False)


def _prepared(
    scenario: Scenario, replication: int, is_stepwise: bool
) -> tuple[simpy.Environment, list[Fleet], World]:
    """Everything built and on the clock, which stands at zero."""
    environment = simpy.Environment()
    streams = Streams(scenario.seed, replication)
    fleets = [_fleet(scenario, name, environment, streams, is_stepwise) for name in scenario.serving]
    world = World(scenario, environment, streams, num_serving_nodes(scenario))
    _connect(environment, fleets, world)
    world.attach([(fleet.deployment, fleet) for fleet in fleets])
    for fleet in fleets:
        fleet.start()
    world.start()
    return environment, fleets, world


def _fleet(
    scenario: Scenario, name: str, environment: simpy.Environment, streams: Streams, is_stepwise: bool
) -> Fleet:
    deployment = resolve_deployment(scenario, name)
    traffic = scenario.serving[name].traffic
    stream = generate(traffic, scenario.folder, scenario.duration_s, streams, name)
    timer = FormulaTimer(deployment.deployment, deployment.max_num_seqs, deployment.max_num_batched_tokens)
    if deployment.prefill is not None:
        prefill = deployment.prefill
        second = FormulaTimer(prefill.deployment, prefill.max_num_seqs, prefill.max_num_batched_tokens)
        return DisaggregatedFleet(
            environment,
            deployment,
            stream,
            streams,
            (timer, second),
            duration_s=scenario.duration_s,
            drain_s=scenario.drain_s,
            is_stepwise=is_stepwise,
        )
    return Fleet(
        environment,
        deployment,
        stream,
        streams,
        timer,
        duration_s=scenario.duration_s,
        drain_s=scenario.drain_s,
        is_stepwise=is_stepwise,
        may_pause=scenario.reliability is not None or lends(scenario),
    )


def _connect(environment: simpy.Environment, fleets: Sequence[Fleet], world: World) -> None:
    """Give fleets whose replicas send KV caches their way, each from its first accelerator on."""
    num_taken = 0
    for fleet in fleets:
        if isinstance(fleet, DisaggregatedFleet):
            fleet.connect(KvCarrier(environment, fleet.deployment.node, world.fabric), num_taken)
        num_taken += sum(pool.num_accelerators for pool in fleet.deployment.pools)


def _slices(environment: simpy.Environment, fleets: Sequence[Fleet], world: World) -> Iterator[float]:
    """Instants at which the run stops to report: evenly while work is expected, ever wider after that."""
    expected_s = max([world.expected_end_s, *(fleet.arrivals_end_s for fleet in fleets)])
    if math.isfinite(expected_s):
        yield from (expected_s * i / _NUM_SLICES for i in range(1, _NUM_SLICES + 1) if expected_s)
    while (limit_s := _limit_s(environment.now, fleets, world)) > environment.now:
        yield min(environment.now + max(1.0, _DRAIN_GROWTH * environment.now), limit_s)


def _limit_s(now_s: float, fleets: Sequence[Fleet], world: World) -> float:
    """How long to go on at most, for whatever has not ended."""
    limits_s = [fleet.limit_s for fleet in fleets if not fleet.is_done]
    return max([now_s if world.is_done else world.limit_s, *limits_s], default=now_s)


def _progress_frac(fleet: Fleet, now_s: float) -> float:
    expected = fleet.num_expected
    done = fleet.num_ended / expected if expected else now_s / max(fleet.arrivals_end_s, now_s)
    return min(done, 1.0)
