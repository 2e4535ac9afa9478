"""Price books: what a node or an accelerator costs, owned or rented."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from dcsim.catalog.entry import Entry
from dcsim.units import Fraction, FractionPerYear, PositiveSeconds, Ratio, Usd, UsdPerSecond, UsdPerWattSecond


class OwnedPrices(Entry):
    """Bought hardware: capital cost by the capital recovery factor, plus operation."""

    kind: Literal["owned"] = Field(description="owned: bought and depreciated.")
    node_capex_usd: dict[str, Usd] = Field(
        alias="node_price", description="Price of each node, by catalogue name."
    )
    network_frac: Ratio = Field(
        alias="network_share", description="Network and storage capital, as a fraction of node capital."
    )
    lifetime_s: PositiveSeconds = Field(
        alias="lifetime", description="Years over which capital is recovered."
    )
    discount_rate_per_yr_frac: FractionPerYear = Field(
        alias="discount_rate", description="Cost of capital per year."
    )
    residual_frac: Fraction = Field(alias="residual_value", description="Value left at the end of life.")
    maintenance_per_yr_frac: FractionPerYear = Field(
        alias="maintenance", description="Support and repair per year, as a fraction of capital."
    )
    colocation_usd_per_w_s: UsdPerWattSecond = Field(
        alias="colocation",
        description="Space, cooling plant and power capacity, per unit of rated power and time.",
    )


class OnDemandPrices(Entry):
    """Rented hardware: a price per accelerator and hour, electricity included."""

    kind: Literal["on_demand"] = Field(description="on_demand: rented by the hour.")
    accelerator_usd_per_s: dict[str, UsdPerSecond] = Field(
        alias="accelerator_price", description="Price of each accelerator, by catalogue name."
    )
