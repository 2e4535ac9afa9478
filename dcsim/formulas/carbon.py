"""Carbon: from electricity, and the share of what making the machines emitted."""

from __future__ import annotations


def operational_carbon_kg(facility_j: float, carbon_kg_per_j: float) -> float:
    """Location-based emissions of the electricity used: C = E CI, E taken at the facility's meter.

    Example: 1 kWh (3.6e6 J) at 370 g/kWh is 0.37 kg.
    """
    return facility_j * carbon_kg_per_j


def embodied_carbon_kg(embodied_kg: float, used_s: float, lifetime_s: float) -> float:
    """Share of the emissions of manufacture that falls on a time of use: C = E T / life.

    Straight-line over the life (Software Carbon Intensity's time share; ACT amortises alike, CF = OP + T/LT
    E).

    Example: 1312 kg over 5 years, one year of use: 262.4 kg.
    """
    return embodied_kg * used_s / lifetime_s
