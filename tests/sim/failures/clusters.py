"""A cluster that fails, without jobs on it, and somebody who listens."""

from __future__ import annotations

from dataclasses import dataclass, field

import simpy

from dcsim.sim.failures.failure import Drain, Failure
from dcsim.sim.failures.process import FailureProcess
from dcsim.sim.streams import Streams
from dcsim.spec.reliability import ClusterShape, Reliability


@dataclass(eq=False)
class Listener:
    """Writes down what it is told."""

    failures: list[Failure] = field(default_factory=list)
    slow: list[int] = field(default_factory=list)
    drains: list[Drain] = field(default_factory=list)
    nodes: list[int] = field(default_factory=list)

    def on_failure(self, failure: Failure) -> None:
        self.failures.append(failure)

    def on_slow(self, node: int) -> None:
        self.slow.append(node)

    def on_drain(self, drain: Drain) -> None:
        self.drains.append(drain)

    def on_nodes(self, nodes: tuple[int, ...]) -> None:
        self.nodes.extend(nodes)


def failing(num_nodes: int, seed: int = 1, **section: object) -> tuple[simpy.Environment, FailureProcess]:
    """A cluster of nodes with eight accelerators each, and the clock that it runs on."""
    reliability = Reliability.model_validate(section)
    environment = simpy.Environment()
    shape = ClusterShape(num_nodes, 8, 8, reliability.domains.by_domain)
    return environment, FailureProcess(environment, reliability, shape, Streams(seed, 0))


def only(**cause: object) -> dict[str, object]:
    """A preset with one cause."""
    return {"base": "none", "causes": {"one": cause}}
