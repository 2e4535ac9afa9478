"""From a scenario to a deployment: the engine's defaults filled in, the memory shared out."""

from __future__ import annotations

from dataclasses import dataclass

from dcsim.catalog.accelerator import Accelerator
from dcsim.catalog.efficiency import Efficiency
from dcsim.catalog.engine import Engine
from dcsim.catalog.model import Model
from dcsim.catalog.node import Node
from dcsim.formulas.deployment import Deployment
from dcsim.formulas.memory import MemoryFit
from dcsim.policies.router import Router
from dcsim.policies.scheduler import Scheduler
from dcsim.spec.scenario import Scenario


@dataclass(frozen=True, slots=True)
class ServingDeployment:
    """One serving workload with every default resolved."""

    name: str
    model: Model
    engine: Engine
    efficiency: Efficiency
    node: Node
    accelerator: Accelerator
    deployment: Deployment
    memory: MemoryFit
    num_replicas: int
    num_lanes: int
    accelerators_per_replica: int
    scheduler: Scheduler
    max_num_seqs: int
    max_num_batched_tokens: int
    num_watermark_blocks: int
    block_size: int
    num_blocks_per_lane: int
    has_prefix_caching: bool
    max_model_len: int
    request_overhead_s: float
    router: Router
    max_queue: int | None
    request_timeout_s: float | None


def resolve_deployment(scenario: Scenario, name: str) -> ServingDeployment:
    """The serving workload ``name`` with every default resolved."""
    raise NotImplementedError
