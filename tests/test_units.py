import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from dcsim.units import Fraction, PerSecond, Seconds, Unit, parse_quantity


class Holder(BaseModel):
    wait_s: Seconds = 0.0
    rate_per_s: PerSecond = 1.0
    share_frac: Fraction = 0.0


@pytest.mark.parametrize(
    ("text", "si_unit", "value"),
    [
        ("500 ms", "s", 0.5),
        ("2 h", "s", 7200.0),
        ("10min", "s", 600.0),
        ("1 yr", "s", 365.25 * 86400),
        ("80 GB", "B", 80e9),
        ("80 GiB", "B", 80 * 2**30),
        ("400 Gbit/s", "B/s", 50e9),
        ("989 TFLOP/s", "FLOP/s", 989e12),
        ("40 /s", "1/s", 40.0),
        ("40 1/s", "1/s", 40.0),
        ("99 %", "frac", 0.99),
        ("0.99", "frac", 0.99),
        ("8 %/yr", "1/yr", 0.08),
        ("0.08 USD/kWh", "USD/J", 0.08 / 3.6e6),
        ("370 g/kWh", "kg/J", 0.37 / 3.6e6),
        ("0", "s", 0.0),
    ],
)
def test_a_quantity_becomes_its_si_value(text, si_unit, value):
    asked = "1" + si_unit.removeprefix("1") if si_unit.startswith("/") else si_unit

    assert parse_quantity(text, asked) == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize(
    ("text", "si_unit", "hint"),
    [
        ("5", "s", "a unit is missing"),
        ("5 GB", "s", "does not measure"),
        ("400 Gbps", "B/s", "ambiguous"),
        ("400 Gb/s", "B/s", "ambiguous"),
        ("80 KB", "B", "ambiguous"),
        ("989 TFLOPS", "FLOP/s", "ambiguous"),
        ("5 parsec", "s", "unknown unit"),
        ("five s", "s", "not a number"),
        ("nan s", "s", "not a number"),
        ("inf", "s", "not a number"),
        ("1e999 s", "s", "finite"),
        ("1" * 101 + " s", "s", "not a number"),
        ("24:00", "s", "not a unit"),
    ],
)
def test_a_wrong_quantity_is_refused_with_an_example(text, si_unit, hint):
    with pytest.raises(ValueError, match=hint):
        parse_quantity(text, si_unit)


@pytest.mark.parametrize("unit", ["9^9^9^9", "s^9^9^9", "s*9**9**9", "s/9^9^9^9", "__import__('os')"])
def test_a_unit_is_never_evaluated_as_arithmetic(unit):
    with pytest.raises(ValueError, match="is not a unit"):
        parse_quantity(f"1 {unit}", "s")


@given(st.text(max_size=120))
def test_any_text_is_a_finite_number_or_a_value_error(text):
    try:
        value = parse_quantity(text, "s")
    except ValueError:
        return
    assert math.isfinite(value)


@given(st.floats(min_value=1e-9, max_value=1e12), st.sampled_from(["s", "B/s", "1/s", "USD/W/s", "frac"]))
def test_a_quantity_written_as_text_reads_back_to_the_same_float(value, si_unit):
    assert parse_quantity(Unit(si_unit).text(value), si_unit) == value


@pytest.mark.parametrize("value", [5, 5.0, True, None, [], math.nan, math.inf, 10**400])
def test_a_bare_number_is_no_time(value):
    with pytest.raises(ValidationError):
        Holder(wait_s=value)


def test_zero_needs_no_unit():
    assert Holder(wait_s=0).wait_s == 0.0


@pytest.mark.parametrize(
    ("field", "value", "bounds"),
    [
        ("wait_s", "-1 s", "at least 0 s"),
        ("rate_per_s", "0 /s", "greater than 0 /s"),
        ("share_frac", 1.5, "at least 0 and at most 1"),
        ("share_frac", "150 %", "at least 0 and at most 1"),
    ],
)
def test_a_quantity_out_of_bounds_is_told_the_bounds(field, value, bounds):
    with pytest.raises(ValidationError, match=bounds):
        Holder(**{field: value})
