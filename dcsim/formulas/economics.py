"""Economics: what a fleet costs per year, hour and token."""

from __future__ import annotations

from dcsim.units import SECONDS_PER_HOUR, SECONDS_PER_YEAR, TOKENS_PER_MILLION


def capital_recovery_factor(discount_rate_per_yr_frac: float, lifetime_yr: float) -> float:
    """Yearly payment that recovers one unit of capital: CRF = r (1+r)^n / ((1+r)^n - 1); 1/n for r = 0.

    Example: 10 % over 5 years gives 0.2638.
    """
    return discount_rate_per_yr_frac + sinking_fund_factor(discount_rate_per_yr_frac, lifetime_yr)


def sinking_fund_factor(discount_rate_per_yr_frac: float, lifetime_yr: float) -> float:
    """Yearly payment that grows to one unit by the end of life: r / ((1+r)^n - 1); 1/n for r = 0."""
    if discount_rate_per_yr_frac == 0.0:
        return 1.0 / lifetime_yr
    growth: float = (1.0 + discount_rate_per_yr_frac) ** lifetime_yr
    return discount_rate_per_yr_frac / (growth - 1.0)


def annual_capital_usd(
    capex_usd: float, discount_rate_per_yr_frac: float, lifetime_yr: float, residual_frac: float
) -> float:
    """Yearly cost of capital: capex (CRF - s r / ((1+r)^n - 1)), s being the share left at the end of life.

    Example: 51,500 USD at 10 % over 5 years with 10 % left costs 12,742 USD a year, 1.45 USD an hour.
    """
    recovery = capital_recovery_factor(discount_rate_per_yr_frac, lifetime_yr)
    return capex_usd * (
        recovery - residual_frac * sinking_fund_factor(discount_rate_per_yr_frac, lifetime_yr)
    )


def usd_per_s(annual_usd: float) -> float:
    """A yearly cost as a rate."""
    return annual_usd / SECONDS_PER_YEAR


def usd_per_accelerator_hour(cost_usd: float, num_accelerators: int, duration_s: float) -> float:
    """Cost of one accelerator for one hour, from the cost of all of them for a time."""
    return cost_usd / (num_accelerators * duration_s / SECONDS_PER_HOUR)


def usd_per_million_tokens(cost_usd: float, num_tokens: float) -> float | None:
    """Cost of a million tokens; None if there were none."""
    return cost_usd / num_tokens * TOKENS_PER_MILLION if num_tokens > 0 else None
