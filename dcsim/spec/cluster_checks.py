"""Checks of a scenario across the sections beside serving: training, jobs, storage, reliability, fabric."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from dcsim.catalog.store import StoreScope
from dcsim.errors import Problem, ScenarioError
from dcsim.spec.document import Document
from dcsim.spec.fabric import resolve_network
from dcsim.spec.jobs import job_problems
from dcsim.spec.lending import lending_problems
from dcsim.spec.reliability import reliability_problems
from dcsim.spec.storage import storage_problems
from dcsim.spec.training.checks import training_problems
from dcsim.spec.training.dataset_checks import dataset_problems
from dcsim.spec.training.scheduled import scheduled_problems, scheduled_queues
from dcsim.validation import nearest

if TYPE_CHECKING:
    from dcsim.spec.scenario import Scenario

_MOST_CHECKED_NODES = 4096  # of a fabric: larger ones are built once, by the run


def cluster_problems(scenario: Scenario, source: Document) -> Iterator[Problem]:
    """Every contradiction between the sections beside serving."""
    cluster = scenario.cluster
    yield from training_problems(scenario, source)
    yield from storage_problems(cluster.storage, source)
    yield from _store_name_problems(scenario, source)
    yield from dataset_problems(scenario, source)
    yield from _local_checkpoint_problems(scenario, source)
    yield from _end_problems(scenario, source)
    if scenario.reliability is not None:
        yield from reliability_problems(scenario.reliability, cluster, source)
    if scenario.jobs is not None:
        num_accelerators = cluster.num_nodes * cluster.node.num_accelerators
        queues = scheduled_queues(scenario)
        for one in job_problems(scenario.jobs, cluster.num_nodes, num_accelerators, queues):
            yield source.problem(("jobs", *map(str, one.path)), one.message, one.value, one.remedy)
        if scenario.jobs.node_list is not None and scenario.reliability is not None:
            message = "the nodes of a list take no part in the failures of the section reliability"
            yield source.problem(
                ("jobs", "node_list"), message, scenario.jobs.node_list, "Remove one of them"
            )
    yield from scheduled_problems(scenario, source)
    yield from lending_problems(scenario, source)
    yield from _fabric_problems(scenario, source)


def _store_name_problems(scenario: Scenario, source: Document) -> Iterator[Problem]:
    """Stores that jobs name must be there."""
    known = tuple(scenario.cluster.storage)
    for name, job in scenario.training.items():
        stores = {
            "checkpoint": None if job.checkpoint is None else job.checkpoint.store,
            "dataset": job.dataset.store,
        }
        for key, store in stores.items():
            if store is not None and store not in known:
                remedy = nearest(store, known) if known else "Add it under cluster.storage"
                yield source.problem(("training", name, key, "store"), "no store of that name", store, remedy)


def _local_checkpoint_problems(scenario: Scenario, source: Document) -> Iterator[Problem]:
    """What a node's own drives hold is lost with the node."""
    if scenario.reliability is None:
        return
    for name, job in scenario.training.items():
        store = scenario.cluster.storage.get(job.checkpoint.store or "") if job.checkpoint else None
        if job.checkpoint is not None and store is not None and store.base.scope is StoreScope.NODE:
            message = (
                "lies on the nodes' own drives: a node that fails takes its part of every checkpoint along"
            )
            remedy = "Name a store that all nodes share, or leave reliability out"
            path = ("training", name, "checkpoint", "store")
            yield source.problem(path, message, job.checkpoint.store, remedy)


def _end_problems(scenario: Scenario, source: Document) -> Iterator[Problem]:
    """Something must end the simulation."""
    if scenario.duration_s is not None:
        return
    for name, job in scenario.training.items():
        if job.steps is None and job.tokens is None and job.epochs is None:
            remedy = "Set the scenario's duration, or tokens or steps of the job"
            yield source.problem(("training", name), "the job never ends", remedy=remedy)


def _fabric_problems(scenario: Scenario, source: Document) -> Iterator[Problem]:
    """The topology must have room for all nodes, and ways between them."""
    cluster = scenario.cluster
    if cluster.fabric is None or cluster.num_nodes > _MOST_CHECKED_NODES:
        return
    try:
        resolve_network(cluster.fabric, cluster.node, cluster.num_nodes, folder=source.folder)
    except ScenarioError as error:
        for one in error.problems:
            below = [int(part) if part.isdecimal() else part for part in one.path.split(".")[2:]]
            at = ("cluster", "fabric", *below)
            yield source.problem(at, one.message, one.value, one.remedy)
