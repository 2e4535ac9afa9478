"""The outages of all fleets of a scenario: which nodes their replicas lie on, and how weights come back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import simpy

from dcsim.catalog.link import Link
from dcsim.catalog.loader import load_entry
from dcsim.sim.failures.process import FailureProcess
from dcsim.sim.failures.spares import SparePool
from dcsim.sim.holdings import Holder, HoldingLog, Places
from dcsim.sim.serving.outage import (
    GroupOutages,
    Recovery,
    ReplicaGroup,
    ServingFleet,
    num_accelerators_by_node,
    replica_groups,
)
from dcsim.sim.storage.store import Store
from dcsim.sim.storage.weight_loading import WeightLoad, load_weights
from dcsim.spec.deployment import ServingDeployment
from dcsim.spec.reliability import Reliability
from dcsim.tables.holdings import HolderKind


def build_outages(
    environment: simpy.Environment,
    fleets: Sequence[tuple[ServingDeployment, ServingFleet]],
    reliability: Reliability,
    failures: FailureProcess,
    pool: SparePool,
    weights: Mapping[str, Store],
) -> list[list[GroupOutages]]:
    """Let the replicas of the fleets fail with their nodes: packed, one fleet after another.

    ``weights`` are the stores from which the fleets load theirs, by name; a copy from host memory alone
    takes time for one that has none. Where two fleets meet on one node, each asks for a spare of its own.
    """
    outages: list[list[GroupOutages]] = []
    groups_by_fleet = place_replicas(failures.holdings, [deployment for deployment, _ in fleets])
    for (deployment, fleet), groups in zip(fleets, groups_by_fleet, strict=True):
        load = partial(_load, environment, weights.get(deployment.name), weight_load(deployment))
        recovery = Recovery(reliability.recovery, load)
        outages.append(
            [GroupOutages(environment, fleet, *group, recovery, failures, pool) for group in groups]
        )
    return outages


def place_replicas(
    log: HoldingLog, deployments: Sequence[ServingDeployment]
) -> list[list[tuple[ReplicaGroup, Places]]]:
    """Put the replicas of each fleet on their nodes, and write down what they hold of them.

    Those for prefill come after the others of their fleet. They are not among the groups returned, since
    they neither fail nor are lent.
    """
    placed: list[list[tuple[ReplicaGroup, Places]]] = []
    num_taken = 0  # accelerators of the pools before
    for one in deployments:
        holder = Holder(HolderKind.SERVING, one.name)
        for pool in one.pools:
            found = _place_pool(log, pool, holder, num_taken)
            num_taken += pool.num_accelerators
            if pool is one:
                placed.append(found)
    return placed


def _place_pool(
    log: HoldingLog, pool: ServingDeployment, holder: Holder, first: int
) -> list[tuple[ReplicaGroup, Places]]:
    """Replicas that are alike, packed from an accelerator on."""
    size, per_node = pool.accelerators_per_replica, pool.node.num_accelerators
    placed: list[tuple[ReplicaGroup, Places]] = []
    for group in replica_groups(pool.num_replicas, size, per_node, first):
        places = Places(log, holder, num_accelerators_by_node(group, size, per_node, first))
        for node in group.nodes:
            places.fill(node)
        placed.append((group, places))
    return placed


def weight_load(deployment: ServingDeployment) -> WeightLoad:
    """What a replica loads: each accelerator its share, over its own host link."""
    link = load_entry("links", deployment.node.host_link)
    assert isinstance(link, Link)
    count = deployment.accelerators_per_replica
    return WeightLoad(
        model=deployment.model.name,
        num_bytes=deployment.memory.weight_bytes * count,
        host_bytes_per_s=link.bytes_per_s * link.achievable_frac * count,
        num_files=count,
    )


def _load(
    environment: simpy.Environment, store: Store | None, load: WeightLoad, nodes: Sequence[int]
) -> simpy.Event:
    if store is None:
        return environment.timeout(load.num_bytes / load.host_bytes_per_s)
    return load_weights(environment, store, nodes, load)
