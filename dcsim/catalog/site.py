"""Sites: where the machines stand. Electricity, carbon and PUE as yearly means."""

from __future__ import annotations

from pydantic import Field

from dcsim.catalog.entry import Entry
from dcsim.units import KilogramsPerJoule, Ratio, UsdPerJoule


class Site(Entry):
    """One site, by yearly means."""

    carbon_kg_per_j: KilogramsPerJoule = Field(
        alias="carbon_intensity",
        description="Location-based CO2 equivalent per unit of electricity, yearly mean.",
    )
    electricity_usd_per_j: UsdPerJoule = Field(
        alias="electricity_price", description="Price of electricity, yearly mean."
    )
    pue: Ratio = Field(ge=1.0, description="Power usage effectiveness, yearly mean.")
