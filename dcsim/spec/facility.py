"""The facility and economics sections: site, PUE and prices."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from dcsim.catalog.prices import OnDemandPrices, OwnedPrices
from dcsim.catalog.site import Site
from dcsim.spec.reference import Reference
from dcsim.spec.section import Section
from dcsim.units import Ratio


class Facility(Section):
    """Where the machines stand."""

    site: Annotated[Site, Reference("sites")] = Field(description="Site, a catalogue name.")
    pue: Ratio | None = Field(
        default=None, ge=1.0, description="Power usage effectiveness; the site's yearly mean if left out."
    )


class Economics(Section):
    """What the machines cost."""

    prices: Annotated[OwnedPrices | OnDemandPrices, Reference("prices")] = Field(
        description="Price book, a catalogue name."
    )
