"""The world around serving on one clock: fabric, stores, failures, and the training jobs that they meet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

import simpy

from dcsim.errors import InfeasibleError
from dcsim.sim.fabric.build import build_fabric
from dcsim.sim.failures.process import FailureProcess
from dcsim.sim.failures.spares import SparePool
from dcsim.sim.jobs.build import JobSimulation, build_jobs
from dcsim.sim.jobs.job_nodes import JobNodes
from dcsim.sim.lending.build import LendingFleet, build_lending
from dcsim.sim.lending.log import LendingLog
from dcsim.sim.lending.switches import PausableFleet
from dcsim.sim.serving.outage_build import build_outages, place_replicas
from dcsim.sim.storage.backups import Backups
from dcsim.sim.storage.fabric_carrier import FabricCarrier
from dcsim.sim.storage.storage_log import StorageLog
from dcsim.sim.storage.store import Store
from dcsim.sim.streams import Streams
from dcsim.sim.training.scheduled_gang import admit
from dcsim.sim.training.training_jobs import Surroundings, TrainingJobs
from dcsim.spec.deployment import ServingDeployment
from dcsim.spec.job_prospects import require_job_prospects
from dcsim.spec.job_windows import require_time_between_windows
from dcsim.spec.lending import lends
from dcsim.spec.recurrences import require_bounded
from dcsim.spec.reliability import Reliability
from dcsim.spec.scenario import Scenario
from dcsim.spec.storage import StoreDeployment, resolve_store
from dcsim.spec.training.deployment import TrainingDeployment, resolve_training
from dcsim.spec.training.length import num_concurrent_trials, num_job_steps
from dcsim.spec.training.prospects import require_prospects
from dcsim.tables import Table
from dcsim.units import SECONDS_PER_DAY

_LATEST_FACTOR, _LATEST_S = 10.0, 30.0 * SECONDS_PER_DAY  # jobs that fail for so long will not end


class World:
    """Everything that a replication simulates beside requests.

    The first ``num_serving_nodes`` nodes are kept for serving. The next are the training jobs' and their
    spares': all that are left, or with a section jobs as many as the training jobs ask for together;
    the rest is the pool of that section, with what serving lends to it. Training jobs that are scheduled
    get theirs from that pool.
    """

    def __init__(
        self, scenario: Scenario, environment: simpy.Environment, streams: Streams, num_serving_nodes: int
    ) -> None:
        self._scenario, self._environment = scenario, environment
        self._num_serving_nodes = num_serving_nodes
        self._deployments = {name: resolve_training(scenario, name) for name in scenario.training}
        self._stores = {name: resolve_store(one, name) for name, one in scenario.cluster.storage.items()}
        length_s = _rough_length_s(scenario, self._deployments)
        self.fabric = build_fabric(scenario, environment, streams, self._stores, length_s)
        self._storage_log = StorageLog()
        self.stores = {name: self._store(one) for name, one in self._stores.items()}
        self._back_up()
        reliability = scenario.reliability or Reliability()
        shape = reliability.shape(scenario.cluster.node, scenario.cluster.num_nodes)
        self.failures = FailureProcess(environment, reliability, shape, streams, folder=scenario.folder)
        self._reliability = reliability
        self._job_nodes: JobNodes | None = None
        self._lending_log: LendingLog | None = None
        training_nodes = self._training_nodes(num_serving_nodes)
        self._pool = SparePool(self.failures, training_nodes, num_reserved=reliability.num_spares)
        around = Surroundings(environment, self.fabric, self.stores, self.failures, self._pool, reliability)
        self._training = TrainingJobs(scenario, list(self._deployments.values()), around)
        self._scheduled = self._build_jobs(range(training_nodes.stop, scenario.cluster.num_nodes), streams)

    def attach(self, fleets: Sequence[tuple[ServingDeployment, PausableFleet]]) -> None:
        """Let the replicas of serving fleets fail with their nodes, and lend these to jobs."""
        if self._scenario.reliability is None and not lends(self._scenario):
            place_replicas(self.failures.holdings, [deployment for deployment, _ in fleets])
            return
        served, environment = self._scenario.serving, self._environment
        names = {name: one.weights_store or self._reliability.weights_store for name, one in served.items()}
        weights = {name: self.stores[store] for name, store in names.items() if store is not None}
        outages = build_outages(environment, fleets, self._reliability, self.failures, self._pool, weights)
        if self._job_nodes is not None and lends(self._scenario):
            lending_fleets = [
                LendingFleet(deployment, fleet, groups, served[deployment.name].lending)
                for (deployment, fleet), groups in zip(fleets, outages, strict=True)
            ]
            self._lending_log = build_lending(environment, lending_fleets, self._job_nodes)

    def start(self) -> None:
        """Put the first failures on the clock; jobs start by themselves."""
        require_bounded(self._scenario, self._deployments.values(), self.expected_end_s)
        require_prospects(self._scenario, self._deployments.values(), self.limit_s)
        demands = () if self._scheduled is None else self._scheduled.demands
        require_time_between_windows(self._scenario, demands)
        jobs_end_s = require_job_prospects(self._scenario, demands)
        self.failures.on_return, self.failures.on_loss = self._on_return, self._on_loss
        self.failures.start(max(self.expected_end_s, jobs_end_s))

    @property
    def is_done(self) -> bool:
        """Whether every job has ended."""
        is_scheduled_done = self._scheduled is None or self._scheduled.cluster.done.processed
        return is_scheduled_done and all(job.is_done for job in self._training.jobs)

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to simulate: the jobs have ended, and no time was asked for."""
        return self.is_done and self._scenario.duration_s is None

    def run_until(self, until_s: float) -> None:
        """Run the clock to an instant; no further than the end of the last job where nothing else goes on."""
        ends: list[simpy.Event] = [job.ended for job in self._training.jobs]
        if self._scheduled is not None:
            ends.append(self._scheduled.cluster.done)
        if ends and self._scenario.duration_s is None and not self._scenario.serving:
            ended = simpy.AllOf(self._environment, ends)
            reached = self._environment.timeout(until_s - self._environment.now)
            self._environment.run(until=simpy.AnyOf(self._environment, [ended, reached]))
        else:
            self._environment.run(until=until_s)

    @cached_property
    def expected_end_s(self) -> float:
        """When the last job would end if nothing came in between; the scenario's duration if given."""
        if self._scenario.duration_s is not None:
            return self._scenario.duration_s
        ends_s = [self._training.alone_s]
        if self._scheduled is not None:
            ends_s.append(self._scheduled.last_submission_s)
        return max(ends_s)

    @property
    def limit_s(self) -> float:
        """When the simulation ends at the latest, whatever happens."""
        if self._scenario.duration_s is not None or not (self._deployments or self._scheduled):
            return self.expected_end_s
        serial_s = self._scheduled.serial_s if self._scheduled is not None else 0.0
        return _LATEST_FACTOR * (self.expected_end_s + serial_s) + _LATEST_S

    @property
    def done_frac(self) -> float:
        """How far the jobs are."""
        shares = self._training.done_fracs
        if self._scheduled is not None:
            shares.append(self._scheduled.cluster.done_frac)
        return min(shares, default=1.0)

    def finish(self) -> Mapping[str, Table]:
        """End the simulation and return what was written, by name of the table."""
        tables = dict(self._training.tables())
        for store in self.stores.values():
            store.finish()
        if self._scheduled is not None:
            written = self._scheduled.tables(self._environment.now)
            tables |= {"jobs": written.jobs, "pool": written.pool}
        if self._scenario.training or self._scenario.jobs or self._scenario.reliability is not None:
            tables["node_holdings"] = self.failures.holdings.finish()
        if self._lending_log is not None:
            tables |= self._lending_log.tables()
        if self._scenario.reliability is not None:
            tables["failures"] = self.failures.log.table()
        if self.stores:
            tables |= self._storage_log.tables()
        if self.fabric is not None:
            tables |= self.fabric.tables()
        return tables

    # --- parts ------------------------------------------------------------------------------------

    def _store(self, store: StoreDeployment) -> Store:
        carrier = FabricCarrier(self.fabric) if self.fabric is not None else None
        num_nodes = self._scenario.cluster.num_nodes
        return Store(self._environment, store, self._storage_log, num_nodes=num_nodes, carrier=carrier)

    def _back_up(self) -> None:
        """Begin the backups of the stores that have any."""
        cluster = self._scenario.cluster
        for name, spec in cluster.storage.items():
            if spec.backup is not None:
                target = self.stores[spec.backup.store]
                Backups(
                    self._environment,
                    self.stores[name],
                    target,
                    spec.backup,
                    num_cluster_nodes=cluster.num_nodes,
                )

    def _training_nodes(self, first: int) -> range:
        """The nodes of training jobs and their spares. Raises InfeasibleError where one could never start."""
        num_spares, num_nodes = self._reliability.num_spares, self._scenario.cluster.num_nodes
        num_left = num_nodes - first - num_spares
        owners = {name: one for name, one in self._deployments.items() if one.job.scheduled is None}
        for name, deployment in owners.items():
            num_at_once = _num_nodes_at_once(deployment)
            if num_at_once > num_left:
                raise InfeasibleError(
                    f"training.{name}: needs {num_at_once} nodes, but of the cluster's {num_nodes} "
                    f"there are {num_left} beside serving and {num_spares} spares. Raise cluster.num_nodes, "
                    "lessen spares, or give the job fewer nodes (num_nodes)"
                )
        if self._scenario.jobs is None:
            return range(first, num_nodes)
        num_asked = sum(map(_num_nodes_at_once, owners.values())) + num_spares
        return range(first, min(first + num_asked, num_nodes))

    def _build_jobs(self, nodes: range, streams: Streams) -> JobSimulation | None:
        """The jobs of the section jobs, on the nodes that are left for them."""
        scenario = self._scenario
        if scenario.jobs is None:
            return None
        if not nodes and not lends(scenario):
            raise InfeasibleError(
                "jobs: no node is left beside serving and training. Raise cluster.num_nodes"
            )
        queued = self._training.queued
        num_there = len(nodes) + (self._num_serving_nodes if lends(scenario) else 0)
        built = build_jobs(
            self._environment,
            scenario.jobs,
            scenario.cluster,
            scenario.folder,
            scenario.duration_s,
            streams,
            self.failures.holdings,
            [one.run for one in queued],
        )
        admit(queued, built.cluster, num_there * scenario.cluster.node.num_accelerators)
        if scenario.jobs.node_list is None:
            for node in range(nodes.start):
                built.pool.close(node)
            self._job_nodes = JobNodes(self.failures, built.pool, nodes, built.cluster.on_slow)
        return built

    def _on_return(self, node: int) -> None:
        """A node is back in service: with whoever's it is."""
        if self._job_nodes is not None and node in self._job_nodes.nodes:
            self._job_nodes.on_return(node)
        else:
            self._pool.put_back(node)

    def _on_loss(self, node: int) -> None:
        """A node is replaced: what stores had on it is gone, once its holder has said how far it read."""
        self._environment.timeout(0.0).callbacks.append(lambda _: self._lose_node(node))

    def _lose_node(self, node: int) -> None:
        for store in self.stores.values():
            store.lose_node(node)


def _num_nodes_at_once(deployment: TrainingDeployment) -> int:
    """Nodes of a training job; of the trials of a sweep that run at a time."""
    return deployment.num_nodes * num_concurrent_trials(deployment.job)


def _rough_length_s(scenario: Scenario, deployments: Mapping[str, TrainingDeployment]) -> float:
    """About how long the run will be: for bins of time."""
    if scenario.duration_s is not None:
        return scenario.duration_s
    lengths = [
        (num_job_steps(one.job, one.tokens_per_step) or 0.0) * one.step().total_s
        for one in deployments.values()
    ]
    return max(lengths, default=0.0) or SECONDS_PER_DAY
