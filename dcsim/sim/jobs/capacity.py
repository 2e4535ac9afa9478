"""What takes nodes away from jobs and brings them back: maintenance windows and spot markets."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import simpy

from dcsim.sim.jobs.pool import NodePool
from dcsim.sim.recurrence import Recurrence
from dcsim.spec.jobs import NodeWindow, Spot


def start_maintenance(environment: simpy.Environment, pool: NodePool, window: NodeWindow) -> None:
    """Take the window's nodes out of service whenever it says so."""
    nodes = range(window.first_node, min(window.first_node + window.num_nodes, len(pool.nodes.shapes)))
    environment.process(_maintain(environment, pool, window, nodes))


def start_spot(environment: simpy.Environment, pool: NodePool, spot: Spot, rng: np.random.Generator) -> None:
    """Let the last nodes of the pool come and go, each with random numbers of its own."""
    num_nodes = len(pool.nodes.shapes)
    generators = rng.spawn(min(spot.num_nodes, num_nodes))
    recurrence = Recurrence(
        environment, "jobs.spot: nodes taken away", "Lengthen mean_available or mean_away"
    )
    for i, generator in enumerate(generators):
        environment.process(_come_and_go(environment, pool, spot, num_nodes - 1 - i, generator, recurrence))


def _maintain(
    environment: simpy.Environment, pool: NodePool, window: NodeWindow, nodes: Iterable[int]
) -> simpy.events.ProcessGenerator:
    starts_at_s = window.start_s
    recurrence = Recurrence(environment, "jobs.maintenance: windows", "Lengthen every")
    while True:
        recurrence.count()
        yield environment.timeout(max(0.0, starts_at_s - window.drain_s - environment.now))
        for node in nodes:
            pool.close(node)
        yield environment.timeout(max(0.0, starts_at_s - environment.now))
        for node in nodes:
            pool.evict(node, is_orderly=True, cause="maintenance")
        yield environment.timeout(window.duration_s)
        for node in nodes:
            pool.open(node)
        if window.every_s is None:
            return
        starts_at_s += window.every_s


def _come_and_go(
    environment: simpy.Environment,
    pool: NodePool,
    spot: Spot,
    node: int,
    rng: np.random.Generator,
    recurrence: Recurrence,
) -> simpy.events.ProcessGenerator:
    while True:
        yield environment.timeout(rng.exponential(spot.mean_available_s))
        recurrence.count()
        pool.close(node)
        if spot.notice_s:
            yield environment.timeout(spot.notice_s)
        pool.evict(node, is_orderly=spot.notice_s > 0, cause="spot")
        yield environment.timeout(rng.exponential(spot.mean_away_s))
        pool.open(node)
