"""The scenario: one question about one datacenter."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path

from pydantic import Field, PrivateAttr

from dcsim.errors import Problem, ScenarioError
from dcsim.spec.checks import cross_field_problems
from dcsim.spec.cluster import Cluster
from dcsim.spec.document import Document
from dcsim.spec.facility import Economics, Facility
from dcsim.spec.jobs import Jobs
from dcsim.spec.reliability import Reliability
from dcsim.spec.section import Section
from dcsim.spec.serving import Serving
from dcsim.spec.training.job import TrainingJob
from dcsim.units import PositiveSeconds, Seconds
from dcsim.validation import in_order, validated


class Scenario(Section):
    """One scenario file."""

    name: str = Field(description="Short name, used for output.")
    question: str = Field(default="", description="The question that the scenario asks.")
    duration_s: PositiveSeconds | None = Field(
        default=None,
        alias="duration",
        description="How long requests arrive; until the trace or the number of requests ends if left out.",
    )
    warmup_s: Seconds = Field(
        default=0.0,
        alias="warmup",
        description="Time cut off at the start before anything is measured.",
    )
    drain_s: Seconds | None = Field(
        default=None,
        alias="drain",
        description="How long to go on after the last arrival; until all have finished, at most as long as "
        "the arrivals took and one hour more, if left out.",
    )
    replications: int = Field(
        default=1,
        gt=0,
        le=10_000,
        description="Independent repeats with different seeds; every number then gets a confidence interval.",
    )
    calibration_draws: int = Field(
        default=24,
        ge=0,
        le=1_000,
        description="Resampled calibrations for prediction intervals, each run on a short pilot of serving, "
        "steps of training timed anew; 0 for none.",
    )
    seed: int = Field(default=1, ge=0, lt=2**63, description="Seed of all random streams.")
    cluster: Cluster = Field(description="The machines.")
    serving: dict[str, Serving] = Field(default_factory=dict, description="Served models, by name.")
    training: dict[str, TrainingJob] = Field(default_factory=dict, description="Training jobs, by name.")
    jobs: Jobs | None = Field(
        default=None, description="Jobs that wait for the cluster's nodes, under a scheduler."
    )
    reliability: Reliability | None = Field(
        default=None, description="What fails, and how the cluster recovers. Left out: nothing fails."
    )
    facility: Facility | None = Field(
        default=None,
        description="Where the machines stand. Left out: no facility energy, carbon or electricity cost.",
    )
    economics: Economics | None = Field(default=None, description="What they cost. Left out: no cost.")

    _source: Document | None = PrivateAttr(default=None)

    @classmethod
    def from_document(cls, source: Document) -> Scenario:
        """The scenario that a document describes. Raises ScenarioError with every problem in it."""
        context = {"folder": source.folder, "folders": source.base_folders}
        scenario = validated(cls, source.value, source.place_of, context)
        problems = cross_field_problems(scenario, source)
        if problems:
            raise ScenarioError(in_order(problems))
        scenario._source = source
        return scenario

    @property
    def document(self) -> dict[str, object]:
        """The scenario as plain keys and values, bases and settings merged: what ``load`` reads back."""
        return copy.deepcopy(self._document.value)

    @property
    def folder(self) -> Path:
        """Where the relative file names in the scenario start."""
        return self._document.folder

    def replace(self, settings: Mapping[str, object]) -> Scenario:
        """A copy with the values at some dotted paths set, checked anew.

        Values are written as in YAML: ``scenario.replace({"duration": "2 h", "cluster.num_nodes": 4})``.
        Raises ScenarioError if the result is not a scenario.
        """
        return Scenario.from_document(self._document.with_settings(settings, Scenario, "<replace>"))

    def located(self, error: ScenarioError) -> ScenarioError:
        """The error with the file and line of each problem that names nothing but its path."""
        return ScenarioError([self._located(problem) for problem in error.problems])

    def _located(self, one: Problem) -> Problem:
        if one.file or not one.path or self._source is None:
            return one
        return self._source.problem(tuple(one.path.split(".")), one.message, one.value, one.remedy)

    @property
    def _document(self) -> Document:
        if self._source is None:
            raise ValueError("this scenario was built without a document; build scenarios with dcsim.load")
        return self._source
