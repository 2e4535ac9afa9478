import pytest

from dcsim.formulas.economics import (
    annual_capital_usd,
    capital_recovery_factor,
    usd_per_accelerator_hour,
    usd_per_million_tokens,
    usd_per_s,
)


@pytest.mark.parametrize(("rate", "years"), [(0.1, 5.0), (0.03, 15.0), (1e-9, 4.0)])
def test_payments_of_the_recovery_factor_have_the_present_value_of_the_capital(rate, years):
    payment = capital_recovery_factor(rate, years)
    present_value = sum(payment / (1 + rate) ** year for year in range(1, int(years) + 1))
    assert present_value == pytest.approx(1.0, rel=1e-6)


def test_without_interest_capital_is_paid_back_in_equal_parts():
    assert capital_recovery_factor(0.0, 4.0) == 0.25
    assert annual_capital_usd(100.0, 0.0, 4.0, 0.2) == pytest.approx(20.0)


def test_the_residual_is_worth_its_present_value():
    whole, rate, years, residual = 1000.0, 0.1, 5, 0.1
    discounted_residual = residual * whole / (1 + rate) ** years
    expected = (whole - discounted_residual) * capital_recovery_factor(rate, years)
    assert annual_capital_usd(whole, rate, years, residual) == pytest.approx(expected)


def test_an_h100_at_fifty_thousand_dollars_costs_about_one_and_a_half_an_hour():
    # all-in price with 3 % spares, 10 % over 5 years, 10 % left: 1.46 USD per hour of a 8760 h year
    hourly_usd = usd_per_s(annual_capital_usd(51_500.0, 0.1, 5.0, 0.1)) * 3600
    assert hourly_usd == pytest.approx(1.46, abs=0.01)


def test_costs_per_hour_and_per_token():
    assert usd_per_accelerator_hour(20.0, 8, 3600.0) == 2.5
    assert usd_per_million_tokens(3.0, 2e6) == 1.5
    assert usd_per_million_tokens(3.0, 0.0) is None
