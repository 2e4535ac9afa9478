"""The pools of a served model: replicas that are alike, and how many accelerators they take together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from dcsim.errors import InfeasibleError, Problem
from dcsim.spec.document import Document

if TYPE_CHECKING:
    from dcsim.spec.scenario import Scenario


def num_serving_nodes(scenario: Scenario) -> int:
    """Nodes that the replicas of all serving workloads take, packed: the first ones of the cluster."""
    return -(-_num_accelerators(scenario) // scenario.cluster.node.num_accelerators)


def require_accelerators(scenario: Scenario, name: str) -> None:
    """Raise unless the cluster holds all replicas, each on one node where it fits on one."""
    per_node, num_nodes = scenario.cluster.node.num_accelerators, scenario.cluster.num_nodes
    needed = _num_accelerators(scenario)
    if needed > per_node * num_nodes:
        raise InfeasibleError(
            f"serving needs {needed} accelerators for all replicas, the cluster has {per_node * num_nodes}: "
            f"use at least {-(-needed // per_node)} nodes of {per_node}, or fewer replicas"
        )
    for pool, where in zip(scenario.serving[name].pools, (name, f"{name}.prefill"), strict=False):
        size, replicas = pool.parallelism.num_accelerators, pool.num_replicas
        nodes = -(-replicas // (per_node // size)) if size <= per_node else replicas * -(-size // per_node)
        if nodes > num_nodes:
            raise InfeasibleError(
                f"serving.{where} needs {nodes} nodes for {replicas} replicas of {size} accelerators, which "
                f"do not divide nodes of {per_node} without rest; the cluster has {num_nodes}"
            )


def prefill_problems(scenario: Scenario, source: Document) -> Iterator[Problem]:
    """What prefill replicas contradict."""
    for name, serving in scenario.serving.items():
        if serving.prefill is None:
            continue
        path = ("serving", name, "prefill")
        if serving.lending is not None:
            remedy = "Leave lending or prefill out"
            yield source.problem(path, "replicas that are lent cannot have prefill replicas", remedy=remedy)
        if scenario.reliability is not None:
            message = "failures of replicas with prefill replicas of their own are not simulated"
            yield source.problem(path, message, remedy="Leave reliability or prefill out")
        scheduler = serving.scheduler
        for key, default in (("admission_interval", 1), ("admission_wait", 0)):
            given = default if scheduler is None else getattr(scheduler, key)
            if given != default:
                message = "replicas that only decode look for KV caches that have come before every step"
                remedy = f"Give it under serving.{name}.prefill.scheduler"
                yield source.problem(("serving", name, "scheduler", key), message, given, remedy)


def _num_accelerators(scenario: Scenario) -> int:
    return sum(
        pool.num_replicas * pool.parallelism.num_accelerators
        for serving in scenario.serving.values()
        for pool in serving.pools
    )
