"""Checks of data sets against the stores that hold them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from dcsim.catalog.store import StoreScope
from dcsim.errors import Problem
from dcsim.spec.document import Document
from dcsim.spec.training.job import JobKind, TrainingJob
from dcsim.strict_yaml import YamlPath
from dcsim.validation import nearest

if TYPE_CHECKING:
    from dcsim.spec.scenario import Scenario


def dataset_problems(scenario: Scenario, source: Document) -> Iterator[Problem]:
    """Copies from where nothing is, and copies or shuffles of what has no size or no place."""
    for name, job in scenario.training.items():
        path, dataset = ("training", name, "dataset"), job.dataset
        if dataset.staged_from is not None:
            yield from _staging_problems(scenario, source, path, dataset.staged_from, dataset.store)
        if dataset.is_reshuffled and dataset.store is None:
            message, remedy = "needs the store that it is written to", "Add dataset.store"
            yield source.problem((*path, "reshuffle"), message, remedy=remedy)
        yield from _size_problems(job, source, path)


def _staging_problems(
    scenario: Scenario, source: Document, path: YamlPath, origin: str, store: str | None
) -> Iterator[Problem]:
    stores, at = scenario.cluster.storage, (*path, "staged_from")
    if origin not in stores:
        remedy = nearest(origin, tuple(stores)) if stores else "Add it under cluster.storage"
        yield source.problem(at, "no store of that name", origin, remedy)
    elif store is None:
        yield source.problem(at, "needs the store that it is copied to", origin, "Add dataset.store")
    elif store == origin:
        yield source.problem(at, "is the store that it is copied to", origin, "Name another, or remove it")
    elif stores[origin].base.scope is StoreScope.NODE:
        remedy = "Name a store that all nodes share"
        yield source.problem(at, "lies on the nodes' own drives", origin, remedy)


def _size_problems(job: TrainingJob, source: Document, path: YamlPath) -> Iterator[Problem]:
    dataset = job.dataset
    key = "staged_from" if dataset.staged_from is not None else "reshuffle"
    if dataset.staged_from is None and not dataset.is_reshuffled:
        return
    if job.dataset_tokens is None:
        message = "needs the size of the data set"
        yield source.problem((*path, key), message, remedy="Add dataset_tokens to the job")
    if dataset.is_reshuffled and job.kind is JobKind.SWEEP:
        message = "trials of a sweep read one data set, each at its own pace"
        yield source.problem((*path, "reshuffle"), message, remedy="Remove it")
