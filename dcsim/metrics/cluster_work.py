"""What the cluster did beside serving, measured: training, jobs, failures, fabric, storage, energy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from dcsim.metrics.columns import Array, floats
from dcsim.metrics.fabric import fabric_figures
from dcsim.metrics.failures import failure_figures
from dcsim.metrics.figures import Figures, ratio
from dcsim.metrics.jobs import jobs_figures
from dcsim.metrics.storage import storage_figures
from dcsim.metrics.time_bins import BinnedSums
from dcsim.metrics.training import training_figures
from dcsim.metrics.window import Window
from dcsim.spec.scenario import Scenario
from dcsim.spec.storage import resolve_store
from dcsim.spec.training_deployment import TrainingDeployment
from dcsim.tables import Table
from dcsim.units import TOKENS_PER_MILLION

Tables = Mapping[str, Table]


@dataclass(frozen=True, slots=True)
class ClusterWork:
    """The tables of the cluster of one replication, and what they are measured with."""

    scenario: Scenario
    training: Mapping[str, TrainingDeployment]
    tables: Tables

    def figures(self, window: Window, cluster: Figures) -> Figures:
        """Figures by section; a section that is not simulated is missing.

        ``cluster`` holds energy and cost of the whole cluster, of which jobs get their shares.
        """
        found: Figures = {}
        if self.training:
            found["training"] = {
                name: self._training(one, window, cluster) for name, one in self.training.items()
            }
        if "jobs" in self.tables:
            found["jobs"] = jobs_figures(self.tables, window)
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
            rise_w = self.scenario.jobs.accelerator_use_frac * _largest_rise_w(self.scenario)
            rises_j = floats(pool, "num_used") * floats(pool, "duration_s") * rise_w
            sums.add(floats(pool, "started_at_s"), floats(pool, "duration_s"), {"rise_j": rises_j})
        return sums


    def _training(self, one: TrainingDeployment, window: Window, cluster: Figures) -> Figures:
        """The figures of a job, with what its plan says of it, and its share of money and energy."""
        figures = training_figures(one, self.tables, window)
        nodes = self.scenario.cluster
        whole_s = nodes.num_nodes * nodes.node.num_accelerators * window.duration_s
        share = held_accelerator_s(self.tables, one.name, window) / whole_s if whole_s else 0.0
        return {**figures, **_plan_figures(one), **_shares(share, figures, one.tokens_per_step, cluster)}


def _plan_figures(one: TrainingDeployment) -> Figures:
    """What is known of a job before it runs."""
    memory = one.memory
    return {
        "num_accelerators": one.num_accelerators,
        "num_nodes": one.num_nodes,
        "tokens_per_step": one.tokens_per_step,
        "step_parts_s": {name: float(part_s) for name, part_s in one.step().by_name().items() if part_s},
        "memory_bytes": {name: float(size) for name, size in memory.terms().items() if size},
        "memory_frac": memory.total_bytes / memory.capacity_bytes,
        "checkpoint_bytes": one.num_checkpoint_bytes,
    }


def _shares(share_frac: float, figures: Figures, tokens_per_step: int, cluster: Figures) -> Figures:
    """Money and energy of the cluster by the accelerator time that the job held."""
    cost, energy, num_steps = cluster["cost"], cluster["energy"], figures["num_steps"]
    whole_usd = cost.get("total_usd") if isinstance(cost, dict) else None
    whole_j = energy.get("it_j") if isinstance(energy, dict) else None
    usd = whole_usd * share_frac if isinstance(whole_usd, float) else None
    it_j = whole_j * share_frac if isinstance(whole_j, float) else None
    num_tokens = num_steps * tokens_per_step if isinstance(num_steps, float) else 0.0
    return {
        "cost_usd": usd,
        "usd_per_million_tokens": None if usd is None else ratio(usd * TOKENS_PER_MILLION, num_tokens),
        "it_j": it_j,
        "it_j_per_token": None if it_j is None else ratio(it_j, num_tokens),
    }


def _largest_rise_w(scenario: Scenario) -> float:
    curve = scenario.cluster.installed_accelerator.power_curve
    return max(curve.cap_frac * curve.tdp_w - curve.idle_w, 0.0)


def held_accelerator_s(tables: Tables, job: str, window: Window) -> float:
    """Accelerator-seconds that a training job, with all its trials, held in the window."""
    spans = tables["training_spans"]
    names = spans["job"].astype(str)
    mine = (names == job) | np.char.startswith(names, f"{job}.")
    duration_s = floats(spans, "duration_s")
    inside_s = duration_s * window.share_within(floats(spans, "started_at_s"), duration_s)
    return float((floats(spans, "num_accelerators") * inside_s)[mine].sum())
