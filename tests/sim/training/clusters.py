"""A small world for training jobs: fixed steps on a cluster that fails as told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import simpy

from dcsim.formulas.training.step import StepCondition
from dcsim.sim.failures.process import FailureProcess
from dcsim.sim.failures.spares import SparePool
from dcsim.sim.streams import Streams
from dcsim.sim.training.checkpointing import Checkpointing, FixedCheckpoints, Save, SaveTimes
from dcsim.sim.training.job import TrainingProcess, TrainingTask
from dcsim.sim.training.span_log import SpanLog
from dcsim.sim.training.step_source import Network, Samples
from dcsim.spec.reliability import ClusterShape, Reliability
from dcsim.tables.table import Table


@dataclass(frozen=True)
class FixedStep:
    total_s: float
    accelerator_rise_w: float = 100.0


@dataclass(frozen=True)
class FixedSteps:
    """Steps of one length, of which a share crosses the fabric; fewer replicas take longer in proportion."""

    step_s: float = 1.0
    num_nodes: int = 1
    num_data_parallel: int = 1
    exposed_frac: float = 0.0

    @property
    def num_accelerators(self) -> int:
        return 8 * self.num_nodes

    def step(self, condition: StepCondition) -> FixedStep:
        replicas = condition.num_data_parallel or self.num_data_parallel
        computing_s = self.step_s * (1 - self.exposed_frac) * condition.slowest_rank_factor
        exposed_s = self.step_s * self.exposed_frac / condition.scale_out_share_frac
        step_s = (computing_s + exposed_s) * self.num_data_parallel / replicas
        rate = condition.input_bytes_per_s  # a step reads one byte
        return FixedStep(step_s if rate is None else max(step_s, 1.0 / rate))


@dataclass(frozen=True)
class OneByOne:
    """Checkpoints of fixed times that do not say so: each is an event of its own."""

    fixed: FixedCheckpoints
    times: None = None

    @property
    def steps_per_save(self) -> int | None:
        return self.fixed.steps_per_save

    def save(self, nodes: Sequence[int]) -> Save:
        return self.fixed.save(nodes)

    def restore(self, nodes: Sequence[int]) -> simpy.Event:
        return self.fixed.restore(nodes)


@dataclass
class World:
    """One job on a cluster of its own, with as many spares as are asked for."""

    reliability: Reliability
    steps: FixedSteps = field(default_factory=FixedSteps)
    num_steps: float = float("inf")
    steps_per_save: int | None = 100
    times: SaveTimes = field(default_factory=lambda: SaveTimes(1.0))
    is_one_by_one: bool = False
    num_spares: int = 0
    seed: int = 1
    network: Network | None = None
    samples: Samples | None = None

    def __post_init__(self) -> None:
        self.environment = simpy.Environment()
        num_nodes = self.steps.num_nodes + self.num_spares
        shape = ClusterShape(num_nodes, 8, 8, self.reliability.domains.by_domain)
        self.failures = FailureProcess(self.environment, self.reliability, shape, Streams(self.seed, 0))
        self.pool = SparePool(self.failures, range(num_nodes))
        self.log = SpanLog()
        fixed = FixedCheckpoints(self.environment, self.steps_per_save, self.times)
        checkpoints: Checkpointing = OneByOne(fixed) if self.is_one_by_one else fixed
        task = TrainingTask(
            "job",
            self.steps,
            self.reliability.recovery,
            self.num_steps,
            is_elastic=self.reliability.has_elastic_shrink,
        )
        self.job = TrainingProcess(
            self.environment,
            task,
            checkpoints,
            self.failures,
            self.pool,
            self.log,
            network=self.network,
            samples=self.samples,
        )
        self.failures.start()

    def run(self, until_s: float) -> Table:
        self.environment.run(until=until_s)
        self.job.finish()
        return self.log.table()


def reliability(**fields: object) -> Reliability:
    """A section in which everything that takes time is written, or takes none."""
    nothing = {"detection": 0, "diagnosis": 0, "swap": 0, "initialization": 0}
    return Reliability.model_validate({**nothing, **fields})


def failing_at(folder: Path, *instants_s: float, node: int = 0, **fields: object) -> Reliability:
    """The same, with failures of one node at given instants."""
    path = folder / "failures.csv"
    path.write_text("at_s,node\n" + "".join(f"{at_s},{node}\n" for at_s in instants_s), encoding="utf-8")
    cause = {"component": "node", "times": {"policy": "trace", "path": str(path)}}
    return reliability(preset={"base": "none", "causes": {"hardware": cause}}, **fields)


def crashing_at(folder: Path, *instants_s: float, **fields: object) -> Reliability:
    """The same, with crashes of the job at given instants."""
    path = folder / "crashes.csv"
    path.write_text("at_s\n" + "".join(f"{at_s}\n" for at_s in instants_s), encoding="utf-8")
    cause = {"component": "software", "times": {"policy": "trace", "path": str(path)}}
    return reliability(preset={"base": "none", "causes": {"bug": cause}}, **fields)


def crashing(mtbf_s: float, **fields: object) -> Reliability:
    """The same, with a job that crashes as a Poisson process and leaves its nodes alone."""
    cause = {"component": "software", "mtbf": f"{mtbf_s} s"}
    return reliability(preset={"base": "none", "causes": {"bug": cause}}, **fields)


def spans(table: Table) -> list[tuple[str, float, float]]:
    """Kind, start and end of every span."""
    ends_s = table["started_at_s"] + table["duration_s"]
    return [
        (str(kind), float(start), float(end))
        for kind, start, end in zip(table["kind"], table["started_at_s"], ends_s, strict=True)
    ]


def total_s(table: Table, kind: str) -> float:
    return float(table["duration_s"][table["kind"] == kind].sum())


def productive_frac(table: Table) -> float:
    """Share of the time whose steps count: what Daly's form gives, checkpoints not included."""
    is_productive = table["kind"] == "productive"
    useful_s = (table["duration_s"] - table["checkpoint_s"])[is_productive].sum()
    return float(useful_s / table["duration_s"].sum())
