"""One replication, measured: figures of the whole window, and of its batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dcsim.metrics.cluster_work import ClusterWork
from dcsim.metrics.cost import cost_figures
from dcsim.metrics.energy import (
    ClusterSums,
    carbon_figures,
    cluster_sums,
    energy_figures,
    power_timeline,
)
from dcsim.metrics.figures import Figure, Figures
from dcsim.metrics.kv_transfers import transfer_figures, transfer_spells
from dcsim.metrics.latency import latency_figures
from dcsim.metrics.pools import pool_figures, workload_figures, workload_size
from dcsim.metrics.queue import QueueSpells, queue_spells
from dcsim.metrics.request_view import RequestView, view_requests
from dcsim.metrics.row_pass import RowFindings, read_rows
from dcsim.metrics.shares import ClusterBill
from dcsim.metrics.stability import MostTokens, Stability, judge
from dcsim.metrics.throughput import num_prompt_tokens, request_figures
from dcsim.metrics.time_bins import BinnedSums
from dcsim.metrics.window import NUM_BATCHES, NUM_BINS, Window, cluster_window, measured_window
from dcsim.spec.deployment import ServingDeployment
from dcsim.spec.deployments import Deployments
from dcsim.spec.scenario import Scenario
from dcsim.tables import RunTables, ServingTables

_ROUNDING = 1e-9  # of sums of accelerator time
_BINS_PER_BATCH = NUM_BINS // NUM_BATCHES


@dataclass(frozen=True, slots=True)
class Workload:
    """One serving workload of one replication, read."""

    served: ServingDeployment
    tables: ServingTables
    window: Window
    view: RequestView
    spells: Sequence[QueueSpells]  # before the first step; with prefill replicas, then for room to decode
    findings: RowFindings
    stability: Stability


@dataclass(frozen=True, slots=True)
class Replication:
    """One replication, read: the summary's figures can be taken from it, for all or part of its window."""

    scenario: Scenario
    joint: Window
    workloads: Mapping[str, Workload]
    work: ClusterWork
    work_sums: BinnedSums  # of what is done beside serving, in the bins of the joint window

    def figures(self) -> Figures:
        """The figures of the whole window."""
        serving: Figures = {}
        for name, one in self.workloads.items():
            explain: Figures = {group: profile.figures() for group, profile in one.findings.profiles.items()}
            serving[name] = {
                **self._serving(one, 0, NUM_BATCHES),
                **workload_size(one.served),
                "window": {"started_at_s": one.window.started_at_s, "ended_at_s": one.window.ended_at_s},
                "explain": explain,
            }
        cluster = self.cluster_figures(self.cluster_sums())
        bill = self.bill(cluster)
        if self.work.tables and (self.work.training or "jobs" in self.work.tables):
            self._share_out(bill, serving, cluster)
        return {"serving": serving, **self.work.figures(self.joint, bill), **cluster}

    def batch(self, index: int) -> Figures:
        """The figures of one of the batches that the window is cut into."""
        serving: Figures = {
            name: self._serving(one, index, index + 1) for name, one in self.workloads.items()
        }
        return {"serving": serving, **self.cluster_figures(self.cluster_sums(index, index + 1))}

    def timeline(self) -> dict[str, Figure]:
        """Power and output over time."""
        sums = self._joint_sums()
        return power_timeline(self.scenario, self._idle_w(), sums, self.joint)

    def num_requests_per_batch(self, name: str) -> int:
        """The fewest requests that arrived in one of the batches."""
        one = self.workloads[name]
        edges = one.window.edges()[::_BINS_PER_BATCH]
        return int(np.diff(np.searchsorted(one.view.arrived_at_s, edges)).min())

    def _serving(self, one: Workload, first: int, beyond: int) -> Figures:
        bins = (first * _BINS_PER_BATCH, beyond * _BINS_PER_BATCH)
        is_whole = (first, beyond) == (0, NUM_BATCHES)
        window = one.window if is_whole else one.window.bins(*bins)
        view = one.view if is_whole else one.view.during(window)
        slo = self.scenario.serving[one.served.name].slo
        return {
            **latency_figures(view),
            "itl_s": one.findings.gaps.figures(first, beyond),
            **request_figures(view, one.tables.requests, window, slo),
            **workload_figures(one.served, one.findings.sums, bins, window.duration_s),
            "num_waiting": {"mean": one.spells[0].mean_num_waiting(window)},
            **self._disaggregated(one, bins, window, view),
        }

    def _disaggregated(
        self, one: Workload, bins: tuple[int, int], window: Window, view: RequestView
    ) -> Figures:
        """What there is only with prefill replicas: figures of both pools, and of what goes between them."""
        if one.served.prefill is None:
            return {}
        transfers = transfer_figures(one.tables, view, window)
        transfers["num_waiting"] = {"mean": one.spells[1].mean_num_waiting(window)}
        pools = pool_figures(one.served, one.findings.sums, bins, window.duration_s)
        return {"pools": pools, "kv_transfer": transfers}

    def cluster_sums(self, first: int = 0, beyond: int = NUM_BATCHES) -> ClusterSums:
        """The sums over all workloads, in the whole window or some of its batches."""
        bins = (first * _BINS_PER_BATCH, beyond * _BINS_PER_BATCH)
        part = self.joint.bins(*bins)
        num_prompts = sum(num_prompt_tokens(one.tables.requests, part) for one in self.workloads.values())
        return cluster_sums(self._joint_sums(), self.joint, num_prompts, bins)

    def cluster_figures(self, sums: ClusterSums) -> Figures:
        """Energy, carbon and cost of the whole cluster."""
        energy = energy_figures(self.scenario, self._idle_w(), sums)
        carbon, cost = carbon_figures(self.scenario, energy, sums), cost_figures(self.scenario, energy, sums)
        return {"energy": energy, "carbon": carbon, "cost": cost}

    def bill(self, cluster: Figures) -> ClusterBill:
        """What there is to share out, by the figures of the whole cluster."""
        nodes = self.scenario.cluster
        there_s = nodes.num_nodes * nodes.node.num_accelerators * self.joint.duration_s
        return ClusterBill.of(cluster, there_s, self.cluster_sums().rise_j)

    def _share_out(self, bill: ClusterBill, serving: Figures, cluster: Figures) -> None:
        """Add what serving's accelerators have of a bill that other work shares, and what nobody's have."""
        unheld_s = bill.accelerator_s - self.work.held_accelerator_s(self.joint)
        for name, one in self.workloads.items():
            held_s = sum(pool.num_accelerators for pool in one.served.pools) * self.joint.duration_s
            held_s -= self.work.lent_accelerator_s(name, self.joint)
            unheld_s -= held_s
            num_tokens, rise_j = (
                sum(sums.total(quantity, 0, NUM_BINS) for sums in one.findings.joint_sums)
                for quantity in ("num_output_tokens", "rise_j")
            )
            figures = serving[name]
            assert isinstance(figures, dict)
            figures.update(bill.share(held_s, rise_j).of_tokens(num_tokens, "output_token"))
        is_all_held = abs(unheld_s) <= _ROUNDING * bill.accelerator_s
        unheld = bill.share(0.0 if is_all_held else unheld_s, 0.0)
        for section, key, value in (
            ("cost", "unheld_usd", unheld.cost_usd),
            ("energy", "unheld_it_j", unheld.it_j),
            ("carbon", "unheld_kg", unheld.carbon_kg),
        ):
            found = cluster[section]
            if isinstance(found, dict):
                found[key] = value

    def _joint_sums(self) -> list[BinnedSums]:
        served = (sums for one in self.workloads.values() for sums in one.findings.joint_sums)
        return [*served, self.work_sums]

    def _idle_w(self) -> float:
        return self.scenario.cluster.installed_accelerator.idle_w


def read_replication(scenario: Scenario, deployments: Deployments, tables: RunTables) -> Replication:
    """Read the tables of one replication."""
    windows = {name: measured_window(scenario, name, one) for name, one in tables.items()}
    joint = cluster_window(scenario, tables, list(windows.values()))
    workloads = {}
    for name, one in tables.items():
        served, window = deployments.serving[name], windows[name]
        view = view_requests(one.requests, window, served.request_overhead_s, scenario.serving[name].slo)
        spells = [queue_spells(one, served.request_overhead_s)]
        if served.prefill is not None:
            spells.append(transfer_spells(one))
        most = MostTokens(served.max_request_tokens, served.max_prompt_tokens)
        workloads[name] = Workload(
            served, one, window, view, spells,
            findings=read_rows(served, one, view, window, joint),
            stability=judge(one, spells, view, window, most),
        )  # fmt: skip
    work = ClusterWork(scenario, deployments.training, tables.cluster)
    return Replication(scenario, joint, workloads, work, work.sums(joint.edges()))
