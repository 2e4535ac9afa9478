"""The lending of a served model: when replicas are switched off and their nodes lent to the section jobs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from dcsim.errors import Problem
from dcsim.plugins import PolicyFrom
from dcsim.policies.autoscaler import Autoscaler
from dcsim.spec.document import Document
from dcsim.spec.section import Section
from dcsim.strict_yaml import YamlPath
from dcsim.units import PositiveSeconds, Seconds
from dcsim.validation import nearest

if TYPE_CHECKING:
    from dcsim.spec.scenario import Scenario


class IdleWindow(Section):
    """Some replicas are switched off for a while, once or again and again."""

    start_s: Seconds = Field(
        alias="start", description="When they take no new requests any more; what they have, they finish."
    )
    duration_s: PositiveSeconds = Field(
        alias="duration",
        description="How long until they are wanted back: jobs on their nodes stop, weights are loaded.",
    )
    every_s: PositiveSeconds | None = Field(
        default=None, alias="every", description="Time from one start to the next; once if left out."
    )
    num_replicas: int = Field(gt=0, le=1_000_000, alias="replicas", description="Replicas switched off.")

    @model_validator(mode="after")
    def _fits_its_period(self) -> IdleWindow:
        if self.every_s is not None and self.every_s <= self.duration_s:
            raise PydanticCustomError("window", "every must be longer than duration")
        return self


class Lending(Section):
    """Replicas that are switched off lend their nodes to the section jobs: a node once all on it are off."""

    idle: tuple[IdleWindow, ...] = Field(
        default=(),
        max_length=1000,
        description="Windows in which replicas are off; of windows that overlap, the one with most counts.",
    )
    autoscaler: Annotated[Autoscaler, PolicyFrom("dcsim.policies.autoscalers")] | None = Field(
        default=None, description="Switches replicas off and on by load; in a window the fewer are on."
    )

    startup_s: Seconds | None = Field(
        default=None,
        alias="startup",
        description="Start of a replica's processes when it is wanted back, before its weights are read; "
        "initialization of the section reliability, or of its preset, if left out.",
    )

    @model_validator(mode="after")
    def _has_a_cause(self) -> Lending:
        if not self.idle and self.autoscaler is None:
            raise PydanticCustomError("lending", "give idle windows, an autoscaler or both")
        return self


def lends(scenario: Scenario) -> bool:
    """Whether any served model lends nodes."""
    return any(one.lending is not None for one in scenario.serving.values())


def lending_problems(scenario: Scenario, source: Document) -> Iterator[Problem]:
    """What lending and the store of weights contradict."""
    known = tuple(scenario.cluster.storage)
    for name, serving in scenario.serving.items():
        path, store = ("serving", name), serving.weights_store
        if store is not None and store not in known:
            remedy = nearest(store, known) if known else "Add it under cluster.storage"
            yield source.problem((*path, "weights"), "no store of that name", store, remedy)
        if serving.lending is not None:
            yield from _lending_problems(scenario, serving.lending, serving.num_replicas, source, path)


def _lending_problems(
    scenario: Scenario, lending: Lending, num_replicas: int, source: Document, path: YamlPath
) -> Iterator[Problem]:
    path = (*path, "lending")
    if scenario.jobs is None:
        yield source.problem(path, "there is nobody to lend to", remedy="Add a section jobs")
    elif scenario.jobs.node_list is not None:
        message = "jobs have nodes of their own, from jobs.node_list"
        yield source.problem(path, message, remedy="Leave node_list or lending out")
    for i, window in enumerate(lending.idle):
        if window.num_replicas >= num_replicas:
            message = f"must be less than the {num_replicas} replicas: one at least serves on"
            yield source.problem((*path, "idle", i, "replicas"), message, window.num_replicas)
    autoscaler = lending.autoscaler
    if autoscaler is not None and autoscaler.num_least > num_replicas:
        message = f"must be at most the {num_replicas} replicas"
        yield source.problem((*path, "autoscaler", "least"), message, autoscaler.num_least)
