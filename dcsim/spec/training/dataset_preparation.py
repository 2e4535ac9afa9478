"""What is done with a data set beside reading it: copied before training, shuffled between epochs."""

from __future__ import annotations

import math
from dataclasses import dataclass

from dcsim.errors import InfeasibleError
from dcsim.formulas.dataset_reads import reshuffle_s
from dcsim.formulas.storage import Access, staging_s
from dcsim.spec.scenario import Scenario
from dcsim.spec.storage import StoreDeployment, resolve_store
from dcsim.spec.training.dataset_reads import dataset_bytes
from dcsim.spec.training.deployment import TrainingDeployment
from dcsim.spec.training.length import num_job_steps


@dataclass(frozen=True, slots=True)
class DatasetPreparation:
    """The copy of a job's data set and its shuffles, with their times where nothing else goes on.

    ``access`` is the whole data set, moved by the job's nodes. ``steps_per_epoch`` is infinite where it is
    never written anew.
    """

    store: str
    staged_from: str | None
    access: Access
    steps_per_epoch: float
    num_shuffles: int  # 0 as well for a job without an end
    staging_s: float
    shuffle_s: float

    @property
    def total_s(self) -> float:
        """Time of the copy and of all shuffles."""
        return self.staging_s + (self.num_shuffles * self.shuffle_s if self.num_shuffles else 0.0)


def resolve_preparation(scenario: Scenario, deployment: TrainingDeployment) -> DatasetPreparation | None:
    """What is done with the data set of a job; None if it is only read.

    Raises InfeasibleError where it does not fit the store that it is copied to.
    """
    dataset, num_bytes = deployment.job.dataset, dataset_bytes(deployment)
    if dataset.store is None or not num_bytes or not (dataset.staged_from or dataset.is_reshuffled):
        return None
    store = _store(scenario, dataset.store)
    num_nodes = deployment.num_nodes
    per_file = dataset.bytes_per_file
    num_files = num_nodes if per_file is None else max(num_nodes, math.ceil(num_bytes / per_file))
    access = Access(num_bytes, num_files, num_nodes)
    copied_s = 0.0
    if dataset.staged_from is not None:
        _require_room(store, access, deployment.name)
        copied_s = staging_s(_store(scenario, dataset.staged_from).limits, store.limits, access)
    per_epoch = num_bytes / deployment.num_input_bytes_per_step if dataset.is_reshuffled else math.inf
    return DatasetPreparation(
        store=dataset.store,
        staged_from=dataset.staged_from,
        access=access,
        steps_per_epoch=per_epoch,
        num_shuffles=_num_shuffles(deployment, per_epoch),
        staging_s=copied_s,
        shuffle_s=reshuffle_s(store.limits, access) if dataset.is_reshuffled else 0.0,
    )


def _num_shuffles(deployment: TrainingDeployment, steps_per_epoch: float) -> int:
    """Ends of epochs before the last step."""
    num_steps = num_job_steps(deployment.job, deployment.tokens_per_step)
    if num_steps is None or math.isinf(steps_per_epoch):
        return 0
    return math.floor((num_steps - 1.0) / steps_per_epoch)


def _store(scenario: Scenario, name: str) -> StoreDeployment:
    return resolve_store(scenario.cluster.storage[name], name)


def _require_room(store: StoreDeployment, access: Access, name: str) -> None:
    room = store.limits.capacity_bytes * (access.num_nodes if store.limits.is_local else 1)
    if access.num_bytes > room:
        raise InfeasibleError(
            f"training.{name}: the data set is {access.num_bytes / 1e12:.3g} TB, more than the "
            f"{room / 1e12:.3g} TB of store '{store.name}' that it is staged to. Enlarge the store, or read "
            "it from where it lies"
        )
