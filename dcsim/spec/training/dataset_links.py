"""How fast the cluster's fabric carries a job's samples where nobody else uses it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import lru_cache

from dcsim.networks.flow import scatter_flows
from dcsim.networks.routes import Routes
from dcsim.spec.fabric import resolve_network
from dcsim.spec.scenario import Scenario
from dcsim.spec.storage import StoreDeployment, gateway_bytes_per_s
from dcsim.spec.training.deployment import TrainingDeployment
from dcsim.spec.training.fabric import fabric_text, first_node


def sample_links_bytes_per_s(
    scenario: Scenario, deployment: TrainingDeployment, store: StoreDeployment
) -> float:
    """What links carry from the gateway of a store to the nodes of a job, all of them evenly.

    The job's own collectives are left out. Infinite without a fabric, and from the nodes' own drives; also
    where a node has no way, which the run tells.
    """
    cluster = scenario.cluster
    gateway = gateway_bytes_per_s(store, cluster.num_nodes)
    if cluster.fabric is None or gateway is None:
        return math.inf
    first = first_node(scenario, deployment)
    nodes = range(first, min(first + deployment.num_nodes, cluster.num_nodes))
    return _carried(_Way(fabric_text(scenario), store.name, gateway, nodes, scenario)) if nodes else math.inf


@dataclass(frozen=True, slots=True)
class _Way:
    """From which gateway to which nodes of which fabric; the scenario is known by its text."""

    text: str
    gateway: str
    bytes_per_s: float
    nodes: range
    scenario: Scenario = field(compare=False, repr=False)


@lru_cache(maxsize=64)
def _carried(way: _Way) -> float:
    cluster = way.scenario.cluster
    assert cluster.fabric is not None
    network = resolve_network(
        cluster.fabric,
        cluster.node,
        cluster.num_nodes,
        folder=way.scenario.folder,
        gateway_bytes_per_s={way.gateway: way.bytes_per_s},
    )
    (route,) = Routes(network, cluster.fabric.routing).of(scatter_flows(way.gateway, way.nodes, 1.0))
    if not len(route.links):
        return math.inf
    return len(way.nodes) * float((network.bytes_per_s[route.links] / route.weights).min())
