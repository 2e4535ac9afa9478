"""Energy, power and carbon of the whole cluster: every node counts, at work or not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dcsim.catalog.prices import OwnedPrices
from dcsim.formulas.carbon import embodied_carbon_kg, operational_carbon_kg
from dcsim.formulas.power import node_power_w
from dcsim.metrics.figures import Figure, Figures, finite, ratio
from dcsim.metrics.time_bins import BinnedSums
from dcsim.metrics.window import NUM_BINS, Window
from dcsim.spec.scenario import Scenario
from dcsim.units import TOKENS_PER_MILLION


@dataclass(frozen=True, slots=True)
class ClusterSums:
    """Sums over all workloads in a part of the joint window."""

    duration_s: float
    rise_j: float  # of all accelerators above idle
    num_output_tokens: float
    num_prompt_tokens: float
    prefill_accelerator_s: float
    decode_accelerator_s: float


def cluster_sums(
    sums: Sequence[BinnedSums], joint: Window, num_prompt_tokens: float, bins: tuple[int, int] = (0, NUM_BINS)
) -> ClusterSums:
    """The sums of all workloads over some bins of the joint window."""

    def total(name: str) -> float:
        return sum(one.total(name, *bins) for one in sums)

    return ClusterSums(
        duration_s=joint.duration_s * (bins[1] - bins[0]) / NUM_BINS,
        rise_j=total("rise_j"),
        num_output_tokens=total("num_output_tokens"),
        num_prompt_tokens=num_prompt_tokens,
        prefill_accelerator_s=total("prefill_accelerator_s"),
        decode_accelerator_s=total("decode_accelerator_s"),
    )


def cluster_power_w(scenario: Scenario, accelerator_idle_w: float, rise_w: float) -> float:
    """Wall power of all nodes when their accelerators together draw ``rise_w`` above idle."""
    node, num_nodes = scenario.cluster.node, scenario.cluster.num_nodes
    idle_w = num_nodes * node.num_accelerators * accelerator_idle_w
    return float(node_power_w(num_nodes * node.host_idle_w, idle_w, rise_w, node.overhead_frac))


def power_usage_effectiveness(scenario: Scenario) -> float | None:
    """The facility's PUE; None without a facility."""
    if scenario.facility is None:
        return None
    return scenario.facility.pue if scenario.facility.pue is not None else scenario.facility.site.pue


def energy_figures(scenario: Scenario, accelerator_idle_w: float, sums: ClusterSums) -> Figures:
    """Energy over the measured window.

    IT energy is what the nodes draw at the wall: hosts, fans, conversion, and accelerators, of which those
    without a step to run and those not allocated idle. Switches and storage outside the nodes are left out.
    Facility energy is IT energy times PUE, applied once.
    """
    num_accelerators = scenario.cluster.num_nodes * scenario.cluster.node.num_accelerators
    accelerator_j = num_accelerators * accelerator_idle_w * sums.duration_s + sums.rise_j
    idle_j = cluster_power_w(scenario, accelerator_idle_w, 0.0) * sums.duration_s
    rise_w = sums.rise_j / sums.duration_s if sums.duration_s > 0 else 0.0
    it_j = cluster_power_w(scenario, accelerator_idle_w, rise_w) * sums.duration_s
    pue = power_usage_effectiveness(scenario)
    facility_j = None if pue is None else it_j * pue
    tokens = sums.num_output_tokens
    return {
        "duration_s": finite(sums.duration_s),
        "it_j": finite(it_j),
        "idle_j": finite(idle_j),
        "accelerator_j": finite(accelerator_j),
        "facility_j": facility_j,
        "pue": pue,
        "mean_it_w": ratio(it_j, sums.duration_s),
        "mean_facility_w": None if facility_j is None else ratio(facility_j, sums.duration_s),
        "mean_accelerator_w": ratio(accelerator_j, num_accelerators * sums.duration_s),
        "it_j_per_output_token": ratio(it_j, tokens),
        "accelerator_j_per_output_token": ratio(accelerator_j, tokens),
        "facility_j_per_output_token": None if facility_j is None else ratio(facility_j, tokens),
    }


def power_timeline(
    scenario: Scenario,
    accelerator_idle_w: float,
    sums: Sequence[BinnedSums],
    span: Window,
    num_bins: int = NUM_BINS,
) -> dict[str, Figure]:
    """IT power and output rate by the bins of a span of time, in which the sums are, for figures."""
    bin_s = span.duration_s / num_bins
    if bin_s <= 0:
        return {"bin_s": None, "started_at_s": [], "it_w": [], "output_tokens_per_s": []}
    rises_w = np.sum([one.bins("rise_j") for one in sums], axis=0) / bin_s
    tokens_per_s = np.sum([one.bins("num_output_tokens") for one in sums], axis=0) / bin_s
    return {
        "bin_s": bin_s,
        "started_at_s": [float(at_s) for at_s in span.edges(num_bins)[:-1]],
        "it_w": [cluster_power_w(scenario, accelerator_idle_w, float(rise_w)) for rise_w in rises_w],
        "output_tokens_per_s": [float(rate) for rate in tokens_per_s],
    }


def carbon_figures(scenario: Scenario, energy: Mapping[str, Figure], sums: ClusterSums) -> Figures | None:
    """Carbon over the measured window: location-based by the site's yearly mean, and the machines' own share.

    The share needs a lifetime, which an owned price book has; without one it is None and the total is
    operational.
    """
    facility_j = energy["facility_j"]
    if scenario.facility is None or not isinstance(facility_j, float):
        return None
    operational_kg = operational_carbon_kg(facility_j, scenario.facility.site.carbon_kg_per_j)
    prices = scenario.economics.prices if scenario.economics else None
    embodied_kg = None
    if isinstance(prices, OwnedPrices):
        made_kg = scenario.cluster.num_nodes * scenario.cluster.node.embodied_kg
        embodied_kg = embodied_carbon_kg(made_kg, sums.duration_s, prices.lifetime_s)
    total_kg = operational_kg + (embodied_kg or 0.0)
    per_token_kg = ratio(total_kg, sums.num_output_tokens)
    return {
        "operational_kg": operational_kg,
        "embodied_kg": embodied_kg,
        "total_kg": total_kg,
        "kg_per_million_output_tokens": None if per_token_kg is None else per_token_kg * TOKENS_PER_MILLION,
    }
