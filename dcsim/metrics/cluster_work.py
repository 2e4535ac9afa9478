"""What the cluster did beside serving, measured: training, jobs, failures, fabric, storage, energy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from dcsim.metrics.columns import Array, floats
from dcsim.metrics.fabric import fabric_figures
from dcsim.metrics.failures import failure_figures
from dcsim.metrics.figures import Figures
from dcsim.metrics.jobs import jobs_figures
from dcsim.metrics.lending import lending_figures, lent_accelerator_s
from dcsim.metrics.shares import ClusterBill
from dcsim.metrics.storage import storage_figures
from dcsim.metrics.time_bins import BinnedSums
from dcsim.metrics.training import belongs, training_figures
from dcsim.metrics.window import Window
from dcsim.spec.scenario import Scenario
from dcsim.spec.storage import resolve_store
from dcsim.spec.training.deployment import TrainingDeployment
from dcsim.tables import Table

Tables = Mapping[str, Table]


@dataclass(frozen=True, slots=True)
class ClusterWork:
    """The tables of the cluster of one replication, and what they are measured with."""

    scenario: Scenario
    training: Mapping[str, TrainingDeployment]
    tables: Tables

    def figures(self, window: Window, bill: ClusterBill) -> Figures:
        """Figures by section; a section that is not simulated is missing.

        ``bill`` is what the whole cluster cost and drew, of which jobs get their shares.
        """
        found: Figures = {}
        if self.training:
            found["training"] = {
                name: self._training(one, window, bill) for name, one in self.training.items()
            }
        if "jobs" in self.tables:
            held_s = self.held_by_jobs_s(window)
            share = bill.share(held_s, held_s * self._scheduled_rise_w())
            found["jobs"] = {**jobs_figures(self.tables, window), **share.figures()}
        if "lending" in self.tables:
            lenders = {name: one.num_replicas for name, one in self.scenario.serving.items() if one.lending}
            found["lending"] = lending_figures(self.tables, lenders, window)
        if "failures" in self.tables:
            found["failures"] = failure_figures(self.tables["failures"], window)
        if "links" in self.tables:
            found["fabric"] = fabric_figures(self.tables, window)
        if "storage_load" in self.tables:
            stores = [resolve_store(one, name) for name, one in self.scenario.cluster.storage.items()]
            found["storage"] = storage_figures(stores, self.tables, window)
        return found

    def sums(self, edges_s: Array) -> BinnedSums:
        """Energy of accelerators above idle, by bins of time: ``rise_j``."""
        sums = BinnedSums(edges_s)
        if "training_spans" in self.tables:
            spans = self.tables["training_spans"]
            held = floats(spans, "num_accelerators") * floats(spans, "duration_s")
            rises_j = held * floats(spans, "accelerator_rise_w")
            sums.add(floats(spans, "started_at_s"), floats(spans, "duration_s"), {"rise_j": rises_j})
        if "pool" in self.tables and self.scenario.jobs is not None:
            pool = self.tables["pool"]
            rises_j = _held_by_jobs(pool) * floats(pool, "duration_s") * self._scheduled_rise_w()
            sums.add(floats(pool, "started_at_s"), floats(pool, "duration_s"), {"rise_j": rises_j})
        return sums

    def _scheduled_rise_w(self) -> float:
        """What an accelerator that a scheduled job with a given run time holds draws above idle."""
        jobs = self.scenario.jobs
        return 0.0 if jobs is None else jobs.accelerator_use_frac * _largest_rise_w(self.scenario)

    def trained_rise_j(self, name: str, window: Window) -> float:
        """Energy above idle of the accelerators of a training job in the window."""
        spans = self.tables["training_spans"]
        held_s = _held_s(self.tables, name, window)
        return float((held_s * floats(spans, "accelerator_rise_w")).sum())

    def held_accelerator_s(self, window: Window) -> float:
        """Accelerator time that training and scheduled jobs held in the window, all together."""
        return sum(held_accelerator_s(self.tables, name, window) for name in self.training) + (
            self.held_by_jobs_s(window)
        )

    def lent_accelerator_s(self, workload: str, window: Window) -> float:
        """Accelerator time of a served model that it lent to jobs in the window."""
        return lent_accelerator_s(self.tables, workload, window)

    def held_by_jobs_s(self, window: Window) -> float:
        """Accelerator time that scheduled jobs held in the window, without those that are training jobs."""
        if "pool" not in self.tables:
            return 0.0
        pool = self.tables["pool"]
        duration_s = floats(pool, "duration_s")
        inside_s = duration_s * window.share_within(floats(pool, "started_at_s"), duration_s)
        return float((_held_by_jobs(pool) * inside_s).sum())

    def _training(self, one: TrainingDeployment, window: Window, bill: ClusterBill) -> Figures:
        """The figures of a job, with what its plan says of it, and its share of money and energy."""
        figures = training_figures(one, self.tables, window)
        num_steps, held_s = figures["num_steps"], held_accelerator_s(self.tables, one.name, window)
        num_tokens = num_steps * one.tokens_per_step if isinstance(num_steps, float) else 0.0
        share = bill.share(held_s, self.trained_rise_j(one.name, window))
        return {**figures, **_plan_figures(one), **share.of_tokens(num_tokens, "token")}


def _plan_figures(one: TrainingDeployment) -> Figures:
    """What is known of a job before it runs."""
    memory = one.memory
    return {
        "num_accelerators": one.num_accelerators,
        "num_nodes": one.num_nodes,
        "tokens_per_step": one.tokens_per_step,
        "counted_in": one.counted_in,
        "step_parts_s": {name: float(part_s) for name, part_s in one.step().by_name().items() if part_s},
        "memory_bytes": {name: float(size) for name, size in memory.terms().items() if size},
        "memory_frac": memory.total_bytes / memory.capacity_bytes,
        "checkpoint_bytes": one.num_checkpoint_bytes,
    }


def _held_by_jobs(pool: Table) -> Array:
    """Accelerators that jobs with given run times hold: those of training jobs are counted with training."""
    return floats(pool, "num_used") - floats(pool, "num_training")


def _largest_rise_w(scenario: Scenario) -> float:
    curve = scenario.cluster.installed_accelerator.power_curve
    return max(curve.cap_frac * curve.tdp_w - curve.idle_w, 0.0)


def held_accelerator_s(tables: Tables, job: str, window: Window) -> float:
    """Accelerator-seconds that a training job, with all its trials, held in the window."""
    return float(_held_s(tables, job, window).sum())


def _held_s(tables: Tables, job: str, window: Window) -> Array:
    """The same by spans, 0 for those of other jobs."""
    spans = tables["training_spans"]
    duration_s = floats(spans, "duration_s")
    inside_s = duration_s * window.share_within(floats(spans, "started_at_s"), duration_s)
    return np.where(belongs(spans, job), floats(spans, "num_accelerators") * inside_s, 0.0)
