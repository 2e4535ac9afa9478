import pytest

from dcsim.formulas.carbon import embodied_carbon_kg, operational_carbon_kg
from dcsim.units import JOULES_PER_KWH, SECONDS_PER_YEAR


def test_a_kilowatt_hour_emits_the_intensity_of_the_grid():
    assert operational_carbon_kg(JOULES_PER_KWH, 0.37 / JOULES_PER_KWH) == pytest.approx(0.37)


def test_embodied_carbon_is_spread_evenly_over_the_life():
    assert embodied_carbon_kg(1312.0, SECONDS_PER_YEAR, 5 * SECONDS_PER_YEAR) == pytest.approx(262.4)
