"""The checkpoints of a training job, resolved: bytes, times alone on the store, and how many steps apart."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from dcsim.catalog.link import Link
from dcsim.catalog.loader import load_entry
from dcsim.errors import InfeasibleError
from dcsim.formulas.checkpoint import (
    CheckpointMode,
    asynchronous_stall_s,
    copy_to_host_s,
    incremental_bytes,
    incremental_restore_bytes,
    num_kept_bytes,
    restore_s,
    synchronous_stall_s,
)
from dcsim.formulas.reliability import optimal_interval_s
from dcsim.formulas.storage import Access, read_s, write_s
from dcsim.formulas.training.step import StepCondition
from dcsim.spec.scenario import Scenario
from dcsim.spec.storage import StoreDeployment, resolve_store
from dcsim.spec.training.dataset_reads import resolve_dataset_reads
from dcsim.spec.training.deployment import TrainingDeployment
from dcsim.spec.training.job import Checkpoint


@dataclass(frozen=True, slots=True)
class CheckpointPlan:
    """What a job saves, and the times of it with the store to itself.

    ``steps_per_save`` is None for a job that never saves: none asked for, or ``auto`` where nothing fails.
    A save stalls the steps for ``stall_s`` and is durable ``drain_s`` after that.
    """

    store: str | None
    mode: CheckpointMode
    num_bytes: float
    num_restored_bytes: float
    num_kept: int
    full_every: int  # saves from one whole checkpoint to the next
    num_whole_bytes: float
    num_increment_bytes: float
    num_files: int
    barrier_s: float
    copy_s: float
    write_s: float
    restore_s: float
    steps_per_save: int | None

    @property
    def is_asynchronous(self) -> bool:
        """Whether the steps go on once the copy in host memory stands."""
        return self.mode is CheckpointMode.ASYNCHRONOUS

    @property
    def stall_s(self) -> float:
        """How long a save holds the steps up."""
        if self.is_asynchronous:  # the wait for a drain that goes on is found on the clock
            return asynchronous_stall_s(self.copy_s, self.barrier_s, self.write_s, math.inf)
        return synchronous_stall_s(self.write_s, self.barrier_s)

    @property
    def drain_s(self) -> float:
        """From the end of the stall until the checkpoint is durable."""
        return self.write_s if self.is_asynchronous else 0.0


def resolve_checkpoint(scenario: Scenario, deployment: TrainingDeployment) -> CheckpointPlan | None:
    """The checkpoints of a training job; None if it keeps none.

    A checkpoint is written as one file for each accelerator, from all nodes at once. Without a store its
    bytes cost the copy to the host only. ``auto`` is the interval at which Daly's complete form is largest,
    no shorter than the drain. Raises InfeasibleError where the store has no room for what is kept.
    """
    job = deployment.job
    if job.checkpoint is None:
        return None
    saved, full_bytes = job.checkpoint, deployment.num_checkpoint_bytes
    num_bytes = incremental_bytes(full_bytes, saved.changed_frac, saved.full_every)
    restored = incremental_restore_bytes(full_bytes, saved.changed_frac, saved.full_every)
    kept = num_kept_bytes(full_bytes, saved.num_kept, saved.changed_frac, saved.full_every)
    store = _store(scenario, saved, kept, deployment.name)
    num_files, num_nodes = deployment.num_accelerators, deployment.num_nodes
    copy_s = copy_to_host_s(num_bytes / num_files, _host_bytes_per_s(scenario))
    back_s = copy_to_host_s(restored / num_files, _host_bytes_per_s(scenario))
    written_s = fetched_s = copy_s
    if store is not None:
        written_s = write_s(store.limits, Access(num_bytes, num_files, num_nodes))
        fetched_s = read_s(store.limits, Access(restored, num_files, num_nodes))
    plan = CheckpointPlan(
        store=saved.store,
        mode=saved.mode,
        num_bytes=num_bytes,
        num_restored_bytes=restored,
        num_kept=saved.num_kept,
        full_every=saved.full_every,
        num_whole_bytes=full_bytes,
        num_increment_bytes=full_bytes * saved.changed_frac,
        num_files=num_files,
        barrier_s=saved.barrier_s,
        copy_s=copy_s,
        write_s=written_s,
        restore_s=restore_s(fetched_s, back_s, saved.barrier_s),
        steps_per_save=None,
    )
    return _with_interval(plan, scenario, saved, deployment)


def _with_interval(
    plan: CheckpointPlan, scenario: Scenario, saved: Checkpoint, deployment: TrainingDeployment
) -> CheckpointPlan:
    step_s = _step_s(scenario, deployment)
    interval_s = _best_interval_s(plan, scenario, deployment)
    if saved.interval_s != "auto":
        interval_s = saved.interval_s
    if math.isinf(interval_s):
        return plan
    return replace(plan, steps_per_save=max(1, round(interval_s / step_s)))


def _step_s(scenario: Scenario, deployment: TrainingDeployment) -> float:
    """A step as fast as samples come with the store to themselves."""
    reads = resolve_dataset_reads(scenario, deployment)
    rate = None if reads.is_fast_enough else reads.available_bytes_per_s
    return deployment.step(StepCondition(input_bytes_per_s=rate)).total_s


def _best_interval_s(plan: CheckpointPlan, scenario: Scenario, deployment: TrainingDeployment) -> float:
    if scenario.reliability is None:
        return math.inf
    shape = scenario.reliability.shape(scenario.cluster.node, scenario.cluster.num_nodes)
    mttf_s = scenario.reliability.job_mttf_s(shape, deployment.num_nodes)
    return max(optimal_interval_s(plan.stall_s, mttf_s), plan.drain_s)


def _store(scenario: Scenario, saved: Checkpoint, kept: float, name: str) -> StoreDeployment | None:
    """The store that checkpoints go to, if any is named, held against what is kept on it."""
    if saved.store is None:
        return None
    store = resolve_store(scenario.cluster.storage[saved.store], saved.store)
    capacity = store.limits.capacity_bytes
    if store.limits.is_local:
        capacity *= scenario.cluster.num_nodes
    if kept > capacity:
        raise InfeasibleError(
            f"training.{name}: {saved.num_kept} checkpoints are {kept / 1e12:.3g} TB, more than the "
            f"{capacity / 1e12:.3g} TB of store '{saved.store}'. Keep fewer, or enlarge it"
        )
    return store


def _host_bytes_per_s(scenario: Scenario) -> float:
    link = load_entry("links", scenario.cluster.node.host_link)
    assert isinstance(link, Link)
    return link.bytes_per_s * link.achievable_frac
