"""Cost of the whole cluster over the measured window, owned or rented, and per token."""

from __future__ import annotations

from collections.abc import Mapping

from dcsim.catalog.prices import OnDemandPrices, OwnedPrices
from dcsim.formulas.economics import (
    annual_capital_usd,
    usd_per_accelerator_hour,
    usd_per_million_tokens,
    usd_per_s,
)
from dcsim.metrics.energy import ClusterSums
from dcsim.metrics.figures import Figure, Figures, ratio
from dcsim.spec.scenario import Scenario
from dcsim.units import SECONDS_PER_YEAR


def cost_figures(scenario: Scenario, energy: Mapping[str, Figure], sums: ClusterSums) -> Figures | None:
    """What the cluster cost over the measured window, and per accelerator-hour and token.

    All nodes of the cluster are paid for, busy or not. Owned machines cost capital (with the network's
    share), maintenance, colocation of their rated power, and electricity, the last only where a facility
    gives its price. Rented ones cost their hourly price, electricity included. The split between prompt and
    output tokens shares the cost out by the accelerator time of either kind of work. That the book has the
    prices was checked when the scenario was read.
    """
    if scenario.economics is None:
        return None
    prices = scenario.economics.prices
    if isinstance(prices, OwnedPrices):
        rates, electricity_usd = _owned_usd_per_s(scenario, prices), _electricity_usd(scenario, energy)
    else:
        rates, electricity_usd = {"rental_usd": _rental_usd_per_s(scenario, prices)}, None
    parts = {name: rate * sums.duration_s for name, rate in rates.items()}
    total_usd = sum(parts.values()) + (electricity_usd or 0.0)
    num_accelerators = scenario.cluster.num_nodes * scenario.cluster.node.num_accelerators
    all_tokens = sums.num_prompt_tokens + sums.num_output_tokens
    figures: Figures = {
        "kind": prices.kind,
        "total_usd": total_usd,
        **parts,
        "electricity_usd": electricity_usd,
    }
    figures["usd_per_s"] = ratio(total_usd, sums.duration_s)
    figures["usd_per_yr"] = ratio(total_usd * SECONDS_PER_YEAR, sums.duration_s)
    figures["usd_per_accelerator_hour"] = (
        usd_per_accelerator_hour(total_usd, num_accelerators, sums.duration_s)
        if sums.duration_s > 0
        else None
    )
    figures["usd_per_million_output_tokens"] = usd_per_million_tokens(total_usd, sums.num_output_tokens)
    figures["usd_per_million_total_tokens"] = usd_per_million_tokens(total_usd, all_tokens)
    figures["by_phase_time"] = _by_phase_time(total_usd, sums)
    return figures


def _by_phase_time(total_usd: float, sums: ClusterSums) -> Figures:
    phases_s = sums.prefill_accelerator_s + sums.decode_accelerator_s
    prefill_usd = total_usd * sums.prefill_accelerator_s / phases_s if phases_s > 0 else 0.0
    return {
        "usd_per_million_prompt_tokens": usd_per_million_tokens(prefill_usd, sums.num_prompt_tokens),
        "usd_per_million_output_tokens": usd_per_million_tokens(
            total_usd - prefill_usd, sums.num_output_tokens
        ),
    }


def _owned_usd_per_s(scenario: Scenario, prices: OwnedPrices) -> dict[str, float]:
    node, num_nodes = scenario.cluster.node, scenario.cluster.num_nodes
    node_usd = prices.node_capex_usd[node.name]
    capex_usd = num_nodes * node_usd * (1.0 + prices.network_frac)
    lifetime_yr = prices.lifetime_s / SECONDS_PER_YEAR
    capital_usd = annual_capital_usd(
        capex_usd, prices.discount_rate_per_yr_frac, lifetime_yr, prices.residual_frac
    )
    return {
        "capital_usd": usd_per_s(capital_usd),
        "maintenance_usd": usd_per_s(prices.maintenance_per_yr_frac * capex_usd),
        "colocation_usd": prices.colocation_usd_per_w_s * node.rated_w * num_nodes,
    }


def _rental_usd_per_s(scenario: Scenario, prices: OnDemandPrices) -> float:
    cluster = scenario.cluster
    price_usd_per_s = prices.accelerator_usd_per_s[cluster.installed_accelerator.name]
    return cluster.num_nodes * cluster.node.num_accelerators * price_usd_per_s


def _electricity_usd(scenario: Scenario, energy: Mapping[str, Figure]) -> float | None:
    facility_j = energy["facility_j"]
    if scenario.facility is None or not isinstance(facility_j, float):
        return None
    return facility_j * scenario.facility.site.electricity_usd_per_j
