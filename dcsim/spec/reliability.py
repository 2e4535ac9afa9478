"""The reliability section: what fails, what it takes along, and how the cluster recovers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from dcsim.catalog.node import Node
from dcsim.catalog.reliability import Cause, Component, Domain, ReliabilityPreset, SlowNodes
from dcsim.errors import Problem
from dcsim.formulas.reliability import mttf_s
from dcsim.spec.cluster import Cluster
from dcsim.spec.document import Document
from dcsim.spec.reference import Reference
from dcsim.spec.section import Section
from dcsim.units import Fraction, PositiveFraction, PositiveSeconds, Seconds

NODE_CAUSE = "node"  # the cause that node_mtbf stands for


@dataclass(frozen=True, slots=True)
class ClusterShape:
    """How many units of each kind a number of nodes has: what causes are counted by."""

    num_nodes: int
    num_accelerators_per_node: int
    num_nics_per_node: int
    nodes_per: Mapping[Domain, int]  # size of the domains that hold several nodes

    def num_units(self, domain: Domain, num_nodes: int) -> int:
        """Units in the first so many nodes; one for each job and site."""
        if domain is Domain.ACCELERATOR:
            return num_nodes * self.num_accelerators_per_node
        if domain is Domain.NIC:
            return num_nodes * self.num_nics_per_node
        if domain in (Domain.JOB, Domain.SITE):
            return 1
        return -(-num_nodes // self.nodes_per.get(domain, 1))

    def nodes_of(self, domain: Domain, node: int) -> range:
        """The nodes that share the domain with a node, itself included; none for a job."""
        if domain is Domain.JOB:
            return range(0)
        size = self.num_nodes if domain is Domain.SITE else self.nodes_per.get(domain, 1)
        first = node // size * size
        return range(first, min(first + size, self.num_nodes))


@dataclass(frozen=True, slots=True)
class RecoveryTimes:
    """What passes between a failure and the next useful step, but for the reading of the checkpoint."""

    detection_s: float
    diagnosis_s: float
    swap_s: float
    initialization_s: float
    warmup_s: float


class DomainSizes(Section):
    """Correlated groups: nodes are numbered along racks, power domains and switches, so many to each."""

    rack: int = Field(default=4, gt=0, le=1_000_000, description="Nodes in a rack (one cooling loop).")
    power: int | None = Field(
        default=None, gt=0, le=1_000_000, description="Nodes in a power domain; a rack's if left out."
    )
    switch: int = Field(default=32, gt=0, le=1_000_000, description="Nodes that a failed switch cuts off.")

    @property
    def by_domain(self) -> dict[Domain, int]:
        """The sizes by domain."""
        return {Domain.RACK: self.rack, Domain.POWER: self.power or self.rack, Domain.SWITCH: self.switch}


class Prediction(Section):
    """Predictive maintenance: failures of machines that are foreseen, and false alarms beside them."""

    precision_frac: PositiveFraction = Field(
        alias="precision", description="Share of alarms that a failure would have followed."
    )
    recall_frac: Fraction = Field(alias="recall", description="Share of failures that an alarm precedes.")
    lead_s: PositiveSeconds = Field(alias="lead", description="Time from the alarm to the failure.")

    @property
    def false_alarms_per_failure(self) -> float:
        """False alarms for each failure that may be foreseen: recall x (1 - precision) / precision."""
        return self.recall_frac * (1.0 / self.precision_frac - 1.0)


class Maintenance(Section):
    """A planned window that comes again and again: jobs save, stop, and go on after it."""

    every_s: PositiveSeconds = Field(alias="every", description="From the start of one window to the next.")
    duration_s: PositiveSeconds = Field(alias="duration", description="How long the nodes are away.")
    first_s: Seconds | None = Field(
        default=None, alias="first", description="Start of the first window; after `every` if left out."
    )
    nodes_frac: PositiveFraction = Field(
        default=1.0, alias="nodes", description="Share of the nodes, taken in turn from window to window."
    )

    @field_validator("nodes_frac", mode="before")
    @classmethod
    def _is_share(cls, value: object) -> object:
        """A number of nodes, as ``jobs.maintenance`` has it, is told apart from a share."""
        if isinstance(value, int | float) and value > 1:
            message = "must be a share of the nodes, at most 100 %, not a number of them"
            raise PydanticCustomError("maintenance", message)
        return value

    @model_validator(mode="after")
    def _has_time_between(self) -> Self:
        if self.duration_s >= self.every_s:
            raise PydanticCustomError("maintenance", "duration must be shorter than every")
        return self


class Reliability(Section):
    """Failures and recovery. What is left out is that of the preset."""

    preset: Annotated[ReliabilityPreset, Reference("reliability")] = Field(
        default="none",
        validate_default=True,
        description="Causes and times of recovery: a catalogue name, a file, or {base: NAME, field: value}.",
    )
    node_mtbf_s: PositiveSeconds | None = Field(
        default=None,
        alias="node_mtbf",
        description="Mean time between failures of a node, as one more cause.",
    )
    node_mttr_s: PositiveSeconds | None = Field(
        default=None,
        alias="node_mttr",
        description="Mean time to repair a node; that of the preset if left out.",
    )
    num_spares: int = Field(
        default=0, ge=0, le=1_000_000, alias="spares", description="Nodes of the cluster kept free as spares."
    )
    num_crews: int | None = Field(
        default=None, gt=0, alias="repair_crews", description="Nodes repaired at a time; all if left out."
    )
    detection_s: Seconds | None = Field(
        default=None, alias="detection", description="From a failure to an alarm."
    )
    diagnosis_s: Seconds | None = Field(
        default=None, alias="diagnosis", description="From the alarm to the name of the node."
    )
    swap_s: Seconds | None = Field(
        default=None, alias="swap", description="Time to put a spare in the place of a failed node."
    )
    initialization_s: Seconds | None = Field(
        default=None, alias="initialization", description="Start of the processes and their groups."
    )
    warmup_s: Seconds = Field(
        default=0.0,
        alias="warmup",
        description="After each start: compilation, data loaders, first slow steps; nothing counts.",
    )
    slow_nodes: SlowNodes | None = Field(default=None, description="Nodes slow from the beginning.")
    slow_detection_s: PositiveSeconds | None = Field(
        default=None, alias="slow_detection", description="Mean time until a slow node is found and drained."
    )
    has_elastic_shrink: bool = Field(
        default=False,
        alias="elastic_shrink",
        description="Whether jobs go on with fewer data-parallel replicas while no spare is free.",
    )
    prediction: Prediction | None = Field(
        default=None, alias="predictive_maintenance", description="Failures foreseen; none if left out."
    )
    maintenance: tuple[Maintenance, ...] = Field(default=(), description="Planned windows.")
    weights_store: str | None = Field(
        default=None,
        alias="weights",
        description="Store of cluster.storage from which a serving replica loads its weights when it comes "
        "back; if left out, only the copy from host memory takes time.",
    )
    domains: DomainSizes = Field(default_factory=DomainSizes, description="Nodes that go down together.")

    @cached_property
    def causes(self) -> dict[str, Cause]:
        """Every cause by name, in alphabetical order."""
        causes = dict(self.preset.causes)
        if self.node_mtbf_s is not None:
            causes[NODE_CAUSE] = Cause.model_validate(
                {"component": Component.NODE, "mtbf": f"{self.node_mtbf_s!r} s"}
            )
        return dict(sorted(causes.items()))

    @property
    def recovery(self) -> RecoveryTimes:
        """The times of recovery: those given, the others from the preset."""
        preset = self.preset
        return RecoveryTimes(
            detection_s=preset.detection_s if self.detection_s is None else self.detection_s,
            diagnosis_s=preset.diagnosis_s if self.diagnosis_s is None else self.diagnosis_s,
            swap_s=preset.swap_s if self.swap_s is None else self.swap_s,
            initialization_s=(
                preset.initialization_s if self.initialization_s is None else self.initialization_s
            ),
            warmup_s=self.warmup_s,
        )

    @property
    def repair_s(self) -> float:
        """Mean time to repair a node, where the cause has none of its own."""
        return self.preset.repair_s if self.node_mttr_s is None else self.node_mttr_s

    @property
    def slow(self) -> SlowNodes | None:
        """Nodes slow from the beginning: those given, else the preset's."""
        return self.slow_nodes or self.preset.slow_nodes

    @property
    def mean_slow_detection_s(self) -> float | None:
        """Mean time until a slow node is found; None for never."""
        return self.slow_detection_s or self.preset.slow_detection_s

    def shape(self, node: Node, num_nodes: int) -> ClusterShape:
        """The units of a cluster of such nodes."""
        return ClusterShape(num_nodes, node.num_accelerators, node.num_nics, self.domains.by_domain)

    def job_mttf_s(self, shape: ClusterShape, num_nodes: int) -> float:
        """Mean time to a failure that stops a job on so many nodes; recorded failures are not counted."""
        return mttf_s(
            (cause.rate_per_s, shape.num_units(cause.counted_by, num_nodes))
            for cause in self.causes.values()
            if cause.slowdown_frac is None
        )


def reliability_problems(reliability: Reliability, cluster: Cluster, source: Document) -> Iterator[Problem]:
    """What contradicts the rest of the scenario."""
    if reliability.num_spares >= cluster.num_nodes:
        remedy = f"The cluster has {cluster.num_nodes} nodes, spares included: raise cluster.num_nodes"
        message = "must leave at least one node to work on"
        yield source.problem(("reliability", "spares"), message, reliability.num_spares, remedy)
    if reliability.weights_store is not None and reliability.weights_store not in cluster.storage:
        known = ", ".join(cluster.storage) or "none"
        remedy = f"Stores of the cluster: {known}"
        message = "must be a store of cluster.storage"
        yield source.problem(("reliability", "weights"), message, reliability.weights_store, remedy)
    if reliability.node_mtbf_s is not None and NODE_CAUSE in reliability.preset.causes:
        message = f"the preset has a cause '{NODE_CAUSE}' already"
        remedy = "Leave node_mtbf out, or vary the preset: {base: NAME, causes: {node: {...}}}"
        yield source.problem(("reliability", "node_mtbf"), message, remedy=remedy)
