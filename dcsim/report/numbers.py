"""Numbers for people: SI values with three digits, a fitting unit, and their interval on the same scale."""

from __future__ import annotations

import math
from dataclasses import dataclass

from dcsim.units import (
    JOULES_PER_KWH,
    SECONDS_PER_DAY,
    SECONDS_PER_HOUR,
    SECONDS_PER_MINUTE,
)

MISSING = "-"
_NUM_DIGITS = 3
_ONE_DIGIT_FROM = 3.55
LEAST_TIME_S = 1e-9  # nothing simulated is shorter: what is left of a difference is rounding
Interval = tuple[float, float]  # low and high end; an end without bound is infinite
_LEAST_PLAIN, _MOST_PLAIN = 1e-4, 1e15  # beyond, numbers are written with an exponent


@dataclass(frozen=True, slots=True)
class Scale:
    """One unit to write a quantity in, used from ``least`` (in SI units) upwards."""

    least: float
    factor: float
    unit: str


def _decimal(unit: str, prefixes: str) -> tuple[Scale, ...]:
    powers = {"n": 1e-9, "µ": 1e-6, "m": 1e-3, " ": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15}
    return tuple(Scale(powers[one], powers[one], one.strip() + unit) for one in prefixes)


TIME = (
    *_decimal("s", "nµm "),
    Scale(2 * SECONDS_PER_MINUTE, SECONDS_PER_MINUTE, "min"),
    Scale(2 * SECONDS_PER_HOUR, SECONDS_PER_HOUR, "h"),
    Scale(2 * SECONDS_PER_DAY, SECONDS_PER_DAY, "d"),
)
BYTES = _decimal("B", " kMGTP")
BYTES_PER_SECOND = _decimal("B/s", " kMGTP")
FLOPS_PER_SECOND = _decimal("FLOP/s", " kMGTP")
POWER = _decimal("W", "m kMG")
_WH = JOULES_PER_KWH / 1e3
ENERGY = (
    *_decimal("J", "µm "),
    *(
        Scale(factor * _WH, factor * _WH, unit)
        for factor, unit in ((1.0, "Wh"), (1e3, "kWh"), (1e6, "MWh"), (1e9, "GWh"))
    ),
)
ENERGY_PER_TOKEN = _decimal("J", "µm k")
MASS = (Scale(1e-6, 1e-6, "mg"), Scale(1e-3, 1e-3, "g"), Scale(1.0, 1.0, "kg"), Scale(1e3, 1e3, "t"))
PERCENT = (Scale(0.0, 0.01, "%"),)
COUNT = (Scale(0.0, 1.0, ""), Scale(1e6, 1e6, "M"), Scale(1e9, 1e9, "G"), Scale(1e12, 1e12, "T"))
PER_SECOND = (Scale(0.0, 1.0, "/s"),)
USD = (Scale(0.0, 1.0, "USD"), Scale(1e6, 1e6, "M USD"))
LITRES = (Scale(0.0, 1.0, "l"), Scale(1e3, 1e3, "m³"))
PLAIN = (Scale(0.0, 1.0, ""),)

_BY_SUFFIX: tuple[tuple[str, tuple[Scale, ...]], ...] = (
    ("_requests_per_s", PER_SECOND),
    ("_tokens_per_s", PER_SECOND),
    ("_bytes_per_s", BYTES_PER_SECOND),
    ("_flops_per_s", FLOPS_PER_SECOND),
    ("_usd_per_s", (Scale(0.0, 1.0, "USD/s"),)),
    ("_per_s", PER_SECOND),
    ("_frac", PERCENT),
    ("_usd", USD),
    ("_bytes", BYTES),
    ("_j", ENERGY),
    ("_w", POWER),
    ("_kg", MASS),
    ("_l", LITRES),
    ("_s", TIME),
)
_BY_PREFIX: tuple[tuple[str, tuple[Scale, ...]], ...] = (
    ("num_", COUNT),
    ("usd_per_", USD),
    ("kg_per_", MASS),
    ("it_j_per_", ENERGY_PER_TOKEN),
    ("facility_j_per_", ENERGY_PER_TOKEN),
    ("accelerator_j_per_", ENERGY_PER_TOKEN),
)


def scales_of(name: str) -> tuple[Scale, ...]:
    """The scales that a quantity's name asks for; those of ``usd_per_...`` leave the "per" to the name.

    >>> scales_of("ttft_s") is TIME
    True
    """
    for prefix, scales in _BY_PREFIX:
        if name.startswith(prefix):
            return scales
    for suffix, scales in _BY_SUFFIX:
        if f"_{name}".endswith(suffix):
            return scales
    return PLAIN


def digits_text(value: float, num_decimals: int | None = None) -> str:
    """A number with three significant digits, or with the decimals given; thousands are set apart.

    >>> digits_text(1234.5), digits_text(0.012345), digits_text(3.0)
    ('1,234', '0.0123', '3.00')
    """
    if value == 0:
        return "0"
    if num_decimals is None:
        if not _LEAST_PLAIN <= abs(value) < _MOST_PLAIN:
            return f"{value:.{_NUM_DIGITS - 1}e}"
        num_decimals = _num_decimals(value)
    return f"{value:,.{num_decimals}f}"


def _num_decimals(value: float) -> int:
    rounded = float(f"{abs(value):.{_NUM_DIGITS - 1}e}")
    return max(0, _NUM_DIGITS - 1 - math.floor(math.log10(rounded)))


def quantity_text(
    value: float | None,
    scales: tuple[Scale, ...],
    half_width: float | None = None,
    interval: Interval | None = None,
) -> str:
    """A quantity with its unit, and its 95 % interval, else its half-width, where there is one.

    >>> quantity_text(0.4567, TIME)
    '457 ms'
    >>> quantity_text(0.4567, TIME, 0.0123)
    '457 ± 12 ms'
    >>> quantity_text(0.4567, TIME, 0.0123, (0.402, math.inf))
    '457 [402, ∞] ms'
    >>> quantity_text(None, TIME)
    '-'
    """
    if value is None or math.isnan(value):
        return MISSING
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    scale = fitting_scale(value, scales)
    if scales is COUNT and not half_width and not interval and value == round(value) and scale.factor == 1.0:
        return f"{value:,.0f}"
    return f"{number_text(value, scale, half_width, interval)} {scale.unit}".rstrip()


def number_text(
    value: float | None,
    scale: Scale,
    half_width: float | None = None,
    interval: Interval | None = None,
) -> str:
    """A quantity without its unit, on a scale chosen elsewhere; an interval of nothing is left out.

    >>> number_text(1.1, Scale(1e-3, 1e-3, "ms"), 0.7)
    '1,100 ± 700'
    """
    if value is None or not math.isfinite(value):
        return MISSING
    if scale in TIME:
        value, half_width = _without_noise(value), _without_noise(half_width or 0.0)
    number = value / scale.factor
    if interval is not None:
        low, high = map(_without_noise, interval) if scale in TIME else interval
        return _with_interval(number, low / scale.factor, high / scale.factor)
    if not half_width or not half_width / scale.factor < _MOST_PLAIN:
        return digits_text(number)
    return _with_half_width(number, half_width / scale.factor)


def percent_text(
    fraction: float | None, half_width: float | None = None, interval: Interval | None = None
) -> str:
    """A fraction in percent.

    >>> percent_text(0.9912)
    '99.1 %'
    """
    return quantity_text(fraction, PERCENT, half_width, interval)


def given_text(value: float, scales: tuple[Scale, ...]) -> str:
    """A quantity that somebody gave, with no more digits than it has.

    >>> given_text(0.5, TIME), given_text(0.99, PERCENT)
    ('500 ms', '99 %')
    """
    scale = fitting_scale(value, scales)
    return f"{value / scale.factor:g} {scale.unit}".rstrip()


def fitting_scale(value: float, scales: tuple[Scale, ...]) -> Scale:
    """The scale on which the value has one to three digits before the point, if there is one."""
    if scales is TIME:
        value = _without_noise(value)
    size = float(f"{abs(value):.{_NUM_DIGITS - 1}e}")  # 0.9999 ms is written 1.00 ms, so 999.9 µs is too
    fitting = [scale for scale in scales if scale.least <= size * (1 + 1e-12)]
    if value == 0:
        return next((scale for scale in scales if scale.factor == 1.0), scales[0])
    return fitting[-1] if fitting else scales[0]


def _without_noise(seconds: float) -> float:
    return seconds if abs(seconds) >= LEAST_TIME_S else 0.0


def _with_half_width(number: float, half_width: float) -> str:
    """Both with the decimals that the half-width deserves, as far as the number has them.

    A half-width has two digits if they are below 36, else one: more would be noise.
    """
    if abs(number) >= _MOST_PLAIN:
        return f"{digits_text(number)} ± {digits_text(half_width)}"
    needed = _decimals_for(number, half_width)
    if round(half_width, needed) == 0:
        return f"{number:,.{needed}f} ± <{10.0**-needed:.{needed}f}"
    return f"{number:,.{needed}f} ± {half_width:,.{needed}f}"


def _with_interval(number: float, low: float, high: float) -> str:
    """The number and both ends, with the decimals that the longer side deserves."""
    reach = max(number - low if math.isfinite(low) else 0.0, high - number if math.isfinite(high) else 0.0)
    if abs(number) >= _MOST_PLAIN or reach >= _MOST_PLAIN:
        return f"{digits_text(number)} [{_end_text(low, None)}, {_end_text(high, None)}]"
    decimals = _decimals_for(number, reach) if reach > 0 else _num_decimals(number or 1.0)
    ends = _end_text(low, decimals), _end_text(high, decimals)
    middle = f"{number:,.{decimals}f}"
    return digits_text(number) if ends == (middle, middle) else f"{middle} [{ends[0]}, {ends[1]}]"


def _end_text(end: float, num_decimals: int | None) -> str:
    if math.isinf(end):
        return "∞" if end > 0 else "-∞"
    return digits_text(end) if num_decimals is None else f"{end:,.{num_decimals}f}"


def _decimals_for(number: float, half_width: float) -> int:
    """The decimals that show one or two digits of the half-width, at most one more than the number's own."""
    digits, exponent = f"{half_width:.2e}".split("e")
    needed = max(0, (1 if float(digits) < _ONE_DIGIT_FROM else 0) - int(exponent))
    return min(needed, _num_decimals(number) + 1) if abs(number) >= _LEAST_PLAIN else needed
