"""What a training job finds on the cluster's fabric where it is alone, before anything is simulated."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from dcsim.formulas.network.max_min import Incidence, Numbers, max_min_rates
from dcsim.formulas.training.breakdown import TrainingStep
from dcsim.formulas.training.step import StepCondition
from dcsim.formulas.training.traffic import Pattern
from dcsim.networks.flow import FlowBundle
from dcsim.networks.network import Network
from dcsim.networks.routes import Route, Routes
from dcsim.spec.fabric import resolve_network
from dcsim.spec.pools import num_serving_nodes
from dcsim.spec.scenario import Scenario
from dcsim.spec.training.deployment import TrainingDeployment, resolve_training
from dcsim.spec.training.flows import LEAST_PACE_FRAC, MAX_PACE_ROUNDS, pattern_flows, port_frac
from dcsim.spec.training.length import num_concurrent_trials


class AloneStep(NamedTuple):
    """A step of a job that has the fabric to itself, and what its bursts find of its nodes' rate."""

    step: TrainingStep
    share_frac: float


def alone_step(scenario: Scenario, deployment: TrainingDeployment) -> AloneStep:
    """A job's step where nobody else uses the cluster's fabric and none of it is down.

    As in a run, the job takes the first nodes that are left for it, its flows their ways through the
    topology, and the pace of its steps is the load that its own bursts meet.
    """
    step, place = deployment.step(), _place(scenario, deployment)
    if place is None:
        return AloneStep(step, 1.0)
    facts = (deployment.plan, deployment.hardware, deployment.software)
    return _settled(_Job(place, deployment.scale_out, step, facts, deployment))


@lru_cache(maxsize=256)
def _settled(job: _Job) -> AloneStep:
    """The step at which the pace of the steps and the load of the bursts go together."""
    loads, share, step = _pattern_loads(job.place), 1.0, job.undisturbed
    if loads is None:
        return AloneStep(step, share)
    sizes = np.array([one.num_bytes for one in job.patterns]) * job.place.num_senders
    ports = port_frac(job.deployment, loads.host_bytes_per_s)
    for _ in range(1 + MAX_PACE_ROUNDS):
        before_s, share = step.total_s, ports * loads.share_frac(sizes, step.total_s)
        step = job.deployment.step(StepCondition(scale_out_share_frac=share))
        if abs(step.total_s / before_s - 1.0) < LEAST_PACE_FRAC:
            break
    return AloneStep(step, share)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a job is on which fabric; the scenario is known by its text."""

    text: str
    first_node: int
    num_nodes: int
    nodes_per_domain: int
    num_senders: int  # accelerators of each node
    patterns: tuple[Pattern, ...]  # but for their bytes
    scenario: Scenario = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class _Job:
    """A job in its place. Equal ones take equal steps under equal conditions."""

    place: _Place
    patterns: tuple[Pattern, ...]
    undisturbed: TrainingStep
    facts: tuple[object, ...]  # that its step follows from
    deployment: TrainingDeployment = field(compare=False, repr=False)


def _place(scenario: Scenario, deployment: TrainingDeployment) -> _Place | None:
    """None where the job sends nothing over a fabric."""
    cluster, hardware = scenario.cluster, deployment.hardware
    if cluster.fabric is None or deployment.num_nodes < 2 or not deployment.scale_out:
        return None
    return _Place(
        text=fabric_text(scenario),
        first_node=first_node(scenario, deployment),
        num_nodes=deployment.num_nodes,
        nodes_per_domain=max(1, hardware.network.domain_size // hardware.num_per_node),
        num_senders=min(hardware.num_per_node, deployment.num_accelerators),
        patterns=tuple(replace(one, num_bytes=1.0) for one in deployment.scale_out),
        scenario=scenario,
    )


def fabric_text(scenario: Scenario) -> str:
    """All that a scenario's network follows from, gateways of stores left out: the key of what is kept."""
    cluster = scenario.cluster
    return f"{cluster.fabric!r}{cluster.node!r}{cluster.num_nodes}{scenario.folder}"


def first_node(scenario: Scenario, deployment: TrainingDeployment) -> int:
    """The first node that neither serving nor a job submitted earlier holds.

    Where no node is left beside those, the job waits for their end: it begins where they did.
    """
    jobs = sorted(scenario.training, key=lambda one: scenario.training[one].starts_at_s)
    before = [resolve_training(scenario, one) for one in jobs[: jobs.index(deployment.name)]]
    held = sum(one.num_nodes * num_concurrent_trials(one.job) for one in before)
    num_left = scenario.cluster.num_nodes - num_serving_nodes(scenario)
    is_room = held + deployment.num_nodes <= num_left
    return num_serving_nodes(scenario) + (held if is_room else 0)


@dataclass(frozen=True, slots=True)
class _PatternLoads:
    """How often a flow of each pattern crosses each kind of link, and how wide these are.

    Links that all patterns cross alike, and are as wide, are one kind.
    """

    crossings: npt.NDArray[np.float64]  # pattern, kind of link
    bytes_per_s: Numbers  # of each kind
    sent_bytes_per_s: Numbers  # what one flow of each pattern may send at most
    flow_frac: Numbers  # of the bytes that a node sends, in one flow of each pattern
    host_bytes_per_s: float  # what a node's ports carry

    def share_frac(self, sizes: Numbers, step_s: float) -> float:
        """What bursts find of the rate of their nodes, each beside the mean load of the other patterns.

        The harmonic mean over the bytes of all patterns; each pattern goes by its slowest flow.
        """
        patterns, links = np.nonzero(self.crossings)
        weights, caps = self.crossings[patterns, links], sizes * self.flow_frac / step_s
        rates = max_min_rates(self.bytes_per_s, Incidence(patterns, links, weights, caps))
        own = self.crossings * rates[:, np.newaxis]
        left = self.bytes_per_s - (own.sum(axis=0) - own)
        fair = self.bytes_per_s * self.crossings / self.crossings.sum(axis=0)
        with np.errstate(divide="ignore"):
            found = np.where(self.crossings > 0, np.maximum(left, fair) / self.crossings, np.inf)
        shares = np.minimum(found.min(axis=1) / self.sent_bytes_per_s, 1.0)
        return float(sizes.sum() / (sizes / shares).sum())


@lru_cache(maxsize=64)
def _pattern_loads(place: _Place) -> _PatternLoads | None:
    """The loads of a job's patterns; None where one has no way, or no flow that leaves its node."""
    cluster = place.scenario.cluster
    assert cluster.fabric is not None
    network = resolve_network(cluster.fabric, cluster.node, cluster.num_nodes, folder=place.scenario.folder)
    nodes = range(place.first_node, place.first_node + place.num_nodes)
    if nodes.stop > cluster.num_nodes:
        return None
    bundles = [pattern_flows(nodes, one, 1.0, 1.0, place.nodes_per_domain) for one in place.patterns]
    flows = [one for one in bundles if one is not None]
    routes = Routes(network, cluster.fabric.routing).of(flows)
    if len(flows) < len(bundles) or not all(len(one.links) for one in routes):
        return None
    return _loads_on(network, flows, routes)


def _loads_on(network: Network, flows: list[FlowBundle], routes: list[Route]) -> _PatternLoads:
    crossings = np.zeros((len(flows), network.num_links))
    for row, route in zip(crossings, routes, strict=True):
        row[route.links] = route.weights
    used = crossings.any(axis=0)
    kinds = np.unique(np.vstack((crossings[:, used], network.bytes_per_s[used])), axis=1)
    num_own = [flow.sources.count(flow.sources[0]) for flow in flows]
    sent = [network.host_bytes_per_s(network.vertex(flow.sources[0])) for flow in flows]
    return _PatternLoads(
        crossings=kinds[:-1],
        bytes_per_s=kinds[-1],
        sent_bytes_per_s=np.array(sent) / num_own,
        flow_frac=np.array([flow.num_bytes for flow in flows]),
        host_bytes_per_s=sent[0],
    )
