"""The data set of a training job, resolved: how fast its samples can arrive, and how fast they are wanted."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from dcsim.formulas.dataset_reads import pinned_hit_frac
from dcsim.formulas.storage import StoreLimits, steady_limits
from dcsim.spec.scenario import Scenario
from dcsim.spec.storage import StoreDeployment, resolve_store
from dcsim.spec.training.dataset_links import sample_links_bytes_per_s
from dcsim.spec.training.deployment import TrainingDeployment
from dcsim.spec.training.job import TrainingJob
from dcsim.spec.training.sample_preparation import prepared_bytes_per_s


@dataclass(frozen=True, slots=True)
class DatasetReads:
    """What a job reads while it trains.

    ``wanted_bytes_per_s`` keeps up with undisturbed steps; ``available_bytes_per_s`` is what store, cache,
    fabric and preprocessing deliver where nobody else uses them, and ``bound_by`` which of them is the
    slowest ("metadata rate of store shared", say; empty if nothing limits it). ``bytes_per_file`` is infinite
    where samples lie one after another in large files. ``hit_frac`` is what the cache finds from the second
    epoch on.
    """

    store: str | None
    bytes_per_step: float
    wanted_bytes_per_s: float
    available_bytes_per_s: float
    bytes_per_file: float = math.inf
    hit_frac: float = 0.0
    num_bytes: float | None = None  # of the whole data set, where its size is given
    bound_by: str = ""

    @property
    def is_fast_enough(self) -> bool:
        """Whether steps never wait for samples, with the store to themselves."""
        return self.available_bytes_per_s >= self.wanted_bytes_per_s


def resolve_dataset_reads(scenario: Scenario, deployment: TrainingDeployment) -> DatasetReads:
    """What a training job reads, from which store, and how fast that goes where nobody else is about.

    Samples of a stated size are files of their own, or some to a file, read in random order; tokens lie in
    large files. Without
    a store only preprocessing limits.
    """
    job, num_nodes = deployment.job, deployment.num_nodes
    of_step = deployment.num_input_bytes_per_step
    wanted = of_step / deployment.step().total_s
    prepared = prepared_bytes_per_s(job.dataset, scenario.cluster.node)
    rates = {} if prepared is None else {"preprocessing by the nodes' processors": prepared * num_nodes}
    spec = scenario.cluster.storage.get(job.dataset.store or "")
    if spec is None or job.dataset.store is None:
        most, bound_by = _slowest(rates)
        return DatasetReads(None, of_step, wanted, most, bound_by=bound_by)
    store = resolve_store(spec, job.dataset.store)
    bytes_per_file = job.dataset.bytes_per_file or math.inf
    num_bytes = dataset_bytes(deployment)
    hit_frac = _hit_frac(store, job, num_bytes, scenario.cluster.num_nodes)
    if hit_frac < 1.0:
        from_store = _steady(store.limits, num_nodes, bytes_per_file)
        rates |= {f"{what} of store {store.name}": x / (1.0 - hit_frac) for what, x in from_store.items()}
    if store.cache is not None and hit_frac > 0.0:
        from_cache = _steady(store.cache, num_nodes, bytes_per_file)
        rates |= {f"{what} of the cache of {store.name}": x / hit_frac for what, x in from_cache.items()}
    carried_frac = _carried_frac(store, hit_frac)
    if carried_frac:
        rates["links of the fabric"] = sample_links_bytes_per_s(scenario, deployment, store) / carried_frac
    rate, bound_by = _slowest(rates)
    return DatasetReads(store.name, of_step, wanted, rate, bytes_per_file, hit_frac, num_bytes, bound_by)


def _slowest(rates: Mapping[str, float]) -> tuple[float, str]:
    """The least of the rates and its name; infinity without a name where nothing limits."""
    name = min(rates, key=rates.__getitem__, default="")
    rate = rates.get(name, math.inf)
    return rate, name if math.isfinite(rate) else ""


def _carried_frac(store: StoreDeployment, hit_frac: float) -> float:
    """Share of the samples that does not lie on the nodes themselves."""
    found = hit_frac if store.cache is not None and not store.cache.is_local else 0.0
    missed_frac = 1.0 if store.cache is None else 1.0 - hit_frac
    return found + (0.0 if store.limits.is_local else missed_frac)


def dataset_bytes(deployment: TrainingDeployment) -> float | None:
    """Bytes of a job's data set; None where its size is not given."""
    tokens = deployment.job.dataset_tokens
    return None if tokens is None else tokens * deployment.input_bytes_per_token


def _steady(limits: StoreLimits, num_nodes: int, bytes_per_file: float) -> dict[str, float]:
    """Rates of reading of so many nodes, each from its own store where that is local."""
    if not limits.is_local:
        return steady_limits(limits.reading, num_nodes, bytes_per_file)
    of_one = steady_limits(limits.reading, 1, bytes_per_file)
    return {what: num_nodes * rate for what, rate in of_one.items()}


def _hit_frac(store: StoreDeployment, job: TrainingJob, num_bytes: float | None, num_nodes: int) -> float:
    """What a cache finds of each epoch but the first; 0 where the size of the data set is not given.

    A data set that is written anew between epochs is new to the cache each time.
    """
    if store.cache is None or not num_bytes or job.dataset.is_reshuffled:
        return 0.0
    num_caches = num_nodes if store.cache.is_local else 1
    return pinned_hit_frac(store.cache.capacity_bytes * num_caches, num_bytes)
