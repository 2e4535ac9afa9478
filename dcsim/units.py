"""Units: text such as ``500 ms`` becomes an SI float here, and nowhere else.

Quantities in YAML are strings with a unit; inside dcsim they are SI floats whose names carry the
unit as a suffix. :class:`Unit` is the pydantic annotation that does the change at the boundary.
The units are parsed by pint, from a closed vocabulary, imported on first use.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

if TYPE_CHECKING:
    from pint import UnitRegistry

SECONDS_PER_MINUTE = 60.0
SECONDS_PER_HOUR = 3600.0
SECONDS_PER_DAY = 86_400.0
SECONDS_PER_YEAR = 31_557_600.0  # Julian year, 365.25 days
JOULES_PER_KWH = 3.6e6
TOKENS_PER_MILLION = 1e6
BITS_PER_BYTE = 8
BYTES_PER_GIB = 2.0**30

_DEFINITIONS = (
    "nano- = 1e-9 = n-",
    "micro- = 1e-6 = µ- = u-",
    "milli- = 1e-3 = m-",
    "kilo- = 1e3 = k-",
    "mega- = 1e6 = M-",
    "giga- = 1e9 = G-",
    "tera- = 1e12 = T-",
    "peta- = 1e15 = P-",
    "exa- = 1e18 = E-",
    "kibi- = 1024 = Ki-",
    "mebi- = 1048576 = Mi-",
    "gibi- = 1073741824 = Gi-",
    "tebi- = 1099511627776 = Ti-",
    "second = [time] = s = sec",
    f"minute = {SECONDS_PER_MINUTE} * second = min",
    f"hour = {SECONDS_PER_HOUR} * second = h",
    f"day = {SECONDS_PER_DAY} * second = d",
    f"week = {7 * SECONDS_PER_DAY} * second",
    f"year = {SECONDS_PER_YEAR} * second = yr",
    f"month = {SECONDS_PER_YEAR / 12} * second",
    "byte = [information] = B",
    f"bit = {1 / BITS_PER_BYTE} * byte",
    "FLOP = [computation]",
    "USD = [currency]",
    "gram = [mass] = g",
    "tonne = 1e6 * gram = t",
    "joule = [energy] = J",
    "watt = joule / second = W",
    "watt_hour = 3600 * joule = Wh",
    "fraction = [] = frac",
    "percent = 0.01 * fraction = %",
)

_QUANTITY = re.compile(r"\s*([+-]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?)\s*(.*?)\s*", re.DOTALL)
_WORD = r"[A-Za-zµ%]{1,20}(?:\^-?[1-9])?"
_UNIT_TEXT = re.compile(
    rf"(?:1?\s?/\s?)?{_WORD}(?:\s?[ ./*]\s?{_WORD}){{0,5}}"
)  # no numbers: 9^9^9^9 never ends
_AMBIGUOUS = re.compile(
    r"(?i:[kmgtp]?bps)|[kKMGTP]i?b(?![A-Za-z])|(?i:[kmgtpe]?flops)\b|(?:KB|[KMGTP]bytes)\b"
)
_NO_NUMBER = "is not a number with a unit; write for example {example}"
_MAX_LENGTH = 100
_DAYS_FROM_S, _YEARS_FROM_S = 2 * SECONDS_PER_DAY, 2 * SECONDS_PER_YEAR
_SHORT_SPANS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))

_EXAMPLES = {
    "s": "500 ms, 10 min, 2 h",
    "B": "80 GB (10^9) or 80 GiB (2^30)",
    "B/s": "3.35 TB/s or 400 Gbit/s",
    "FLOP/s": "989 TFLOP/s",
    "W": "700 W",
    "J": "3 kWh",
    "1/s": "40 /s",
    "frac": "99 %",
    "1/yr": "8 %/yr",
    "USD": "300000 USD",
    "USD/s": "2.5 USD/h",
    "USD/J": "0.08 USD/kWh",
    "USD/W/s": "140 USD/kW/month",
    "USD/B/s": "23 USD/TB/month",
    "USD/B": "90 USD/TB",
    "kg": "164 kg",
    "kg/J": "370 g/kWh",
}
_RATIO_EXAMPLE = "120 %"  # of ratios without a maximum, such as PUE, which may not be below 1


@cache
def _registry() -> UnitRegistry[Any]:
    import pint

    registry: UnitRegistry[Any] = pint.UnitRegistry(None)
    for line in _DEFINITIONS:
        registry.define(line)
    return registry


@cache
def _factor(unit: str, si_unit: str) -> float:
    """How many ``si_unit`` one ``unit`` is; raises ValueError with a remedy where that makes no sense."""
    import pint

    ambiguous = _AMBIGUOUS.search(unit)
    if ambiguous:
        raise ValueError(
            f"'{ambiguous.group()}' is ambiguous: write bit or B with a prefix "
            "(Gbit/s, GB for 10^9, GiB for 2^30) and FLOP/s for a rate of operations"
        )
    if not _UNIT_TEXT.fullmatch(unit):
        raise ValueError(f"'{unit}' is not a unit")
    expression = f"1 {unit}" if unit.startswith("/") else unit
    try:
        return float(
            _registry().Quantity(1.0, _registry().parse_units(_as_unit(expression))).to(_as_unit(si_unit)).m
        )
    except pint.UndefinedUnitError as error:
        raise ValueError(f"unknown unit '{unit}'") from error
    except pint.DimensionalityError as error:
        raise ValueError(f"'{unit}' does not measure what is asked for here") from error
    except (
        pint.PintError,
        ValueError,
        TypeError,
        AttributeError,
        SyntaxError,
        OverflowError,
        ZeroDivisionError,
    ) as error:
        raise ValueError(f"'{unit}' is not a unit") from error


def _as_unit(expression: str) -> str:
    text = re.sub(r"^1\s*/", "fraction/", expression.strip())
    return text.replace("%", "percent").replace("^", "**") or "fraction"


def parse_quantity(text: str, si_unit: str, *, example: str = "") -> float:
    """The SI value of a text such as ``500 ms``, asked for in ``si_unit``.

    Raises ValueError, with a remedy in it, when the text is not a finite number with a fitting unit; the
    remedy shows the example, or a usual one of that unit.

    >>> parse_quantity("500 ms", "s")
    0.5
    """
    example = example or _EXAMPLES.get(si_unit, f"1 {si_unit}")
    match = _QUANTITY.fullmatch(text) if len(text) <= _MAX_LENGTH else None
    if not match:
        raise ValueError(_NO_NUMBER.format(example=example))
    number, unit = float(match.group(1).replace("_", "")), match.group(2)
    if not unit and si_unit != "frac" and number != 0:
        raise ValueError(f"a unit is missing: write for example {example}")
    try:
        value = number * (_factor(unit, si_unit) if unit else 1.0)
    except ValueError as error:
        raise ValueError(f"{error}; write for example {example}") from error
    if not math.isfinite(value):
        raise ValueError("must be finite")
    return value


@dataclass(frozen=True, slots=True)
class Unit:
    """Pydantic annotation: a float in ``si_unit`` inside, text with a unit outside.

    A bare number is refused, except 0, and except for fractions, which are numbers by nature.
    """

    si_unit: str
    minimum: float = -math.inf
    maximum: float = math.inf
    exclusive: bool = False

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Validate text to a float, and write a float back as text."""
        return core_schema.no_info_before_validator_function(
            self._validate,
            handler(source),  # bounds given beside the unit, as Field(ge=1), are checked there
            serialization=core_schema.plain_serializer_function_ser_schema(self.text, when_used="json"),
        )

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Describe the quantity to editors."""
        if self.si_unit == "frac":
            examples = [_RATIO_EXAMPLE, 1.2] if self.maximum > 1 else ["99 %", 0.99]
            return {"anyOf": [{"type": "number"}, {"type": "string"}], "examples": examples}
        example = self._example()
        return {
            "type": ["string", "number"],
            "description": f"Quantity with a unit, e.g. {example}.",
            "examples": [example],
        }

    def text(self, value: float) -> str:
        """The value as text that reads back to the same float."""
        return f"{value!r}" if self.si_unit == "frac" else f"{value!r} {self.si_unit.removeprefix('1')}"

    def _validate(self, value: object) -> float:
        number = self._number(value)
        if not math.isfinite(number):
            raise PydanticCustomError("quantity", "must be finite")
        too_small = number <= self.minimum if self.exclusive else number < self.minimum
        if too_small or number > self.maximum:
            raise PydanticCustomError("quantity", "must be {bounds}", {"bounds": self._bounds()})
        return number

    def _number(self, value: object) -> float:
        if isinstance(value, str):
            try:
                return parse_quantity(value, self.si_unit, example=self._example())
            except ValueError as error:
                raise PydanticCustomError("quantity", "{error}", {"error": str(error)}) from error
        if isinstance(value, int | float) and not isinstance(value, bool):
            if isinstance(value, float) and not math.isfinite(value):
                return value
            if value == 0 or self.si_unit == "frac":
                try:
                    return float(value)
                except OverflowError as error:
                    raise PydanticCustomError("quantity", "must be finite") from error
            message, example = "a unit is missing: write for example {example}", self._example()
            raise PydanticCustomError("quantity", message, {"example": example})
        raise PydanticCustomError("quantity", "must be a quantity, a number with a unit")

    def _example(self) -> str:
        if self.si_unit == "frac" and self.maximum > 1:
            return f"1.2 or {_RATIO_EXAMPLE}"
        return _EXAMPLES.get(self.si_unit, f"1 {self.si_unit}")

    def _bounds(self) -> str:
        unit = "" if self.si_unit == "frac" else f" {self.si_unit.removeprefix('1')}"
        low = f"greater than {self.minimum:g}{unit}" if self.exclusive else f"at least {self.minimum:g}{unit}"
        return low if self.maximum == math.inf else f"{low} and at most {self.maximum:g}{unit}"


Seconds = Annotated[float, Unit("s", minimum=0)]
PositiveSeconds = Annotated[float, Unit("s", minimum=0, exclusive=True)]
Bytes = Annotated[float, Unit("B", minimum=0)]
PositiveBytes = Annotated[float, Unit("B", minimum=0, exclusive=True)]
BytesPerSecond = Annotated[float, Unit("B/s", minimum=0, exclusive=True)]
FlopsPerSecond = Annotated[float, Unit("FLOP/s", minimum=0, exclusive=True)]
Watts = Annotated[float, Unit("W", minimum=0)]
PerSecond = Annotated[float, Unit("1/s", minimum=0, exclusive=True)]
Fraction = Annotated[float, Unit("frac", minimum=0, maximum=1)]
PositiveFraction = Annotated[float, Unit("frac", minimum=0, maximum=1, exclusive=True)]
Ratio = Annotated[float, Unit("frac", minimum=0)]
FractionPerYear = Annotated[float, Unit("1/yr", minimum=0)]
Usd = Annotated[float, Unit("USD", minimum=0)]
UsdPerSecond = Annotated[float, Unit("USD/s", minimum=0)]
UsdPerJoule = Annotated[float, Unit("USD/J", minimum=0)]
UsdPerByte = Annotated[float, Unit("USD/B", minimum=0)]
UsdPerByteSecond = Annotated[float, Unit("USD/B/s", minimum=0)]
UsdPerWattSecond = Annotated[float, Unit("USD/W/s", minimum=0)]
Kilograms = Annotated[float, Unit("kg", minimum=0)]
KilogramsPerJoule = Annotated[float, Unit("kg/J", minimum=0)]


def duration_text(seconds: float) -> str:
    """A span of wall time, coarse.

    >>> duration_text(75), duration_text(3.21), duration_text(7260), duration_text(2_600_000)
    ('1 min 15 s', '3.2 s', '2 h 1 min', '30 d 2 h')
    """
    if seconds == 0:
        return "0 s"
    if seconds < SECONDS_PER_MINUTE:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    if seconds < SECONDS_PER_HOUR:
        minutes, rest = divmod(int(seconds), int(SECONDS_PER_MINUTE))
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    if seconds >= _DAYS_FROM_S:
        days, hours = divmod(int(seconds / SECONDS_PER_HOUR), 24)
        return f"{days} d {hours} h" if hours else f"{days} d"
    hours, minutes = divmod(int(seconds / SECONDS_PER_MINUTE), 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def span_text(seconds: float) -> str:
    """A span of simulated time for messages: nanoseconds to years, three digits below a minute.

    >>> span_text(0.455), span_text(16_300), span_text(1e-9), span_text(1e12)
    ('455 ms', '4 h 31 min', '1 ns', '31,688 years')
    >>> span_text(math.inf)
    'for ever'
    """
    if seconds == 0.0:
        return "0 s"
    if math.isinf(seconds):
        return "for ever"
    if seconds >= 1e6 * SECONDS_PER_YEAR:
        return f"{seconds / SECONDS_PER_YEAR:.3g} years"
    if seconds >= _YEARS_FROM_S:
        return f"{seconds / SECONDS_PER_YEAR:,.0f} years"
    if seconds >= SECONDS_PER_MINUTE:
        return duration_text(seconds)
    scale, unit = next((one for one in _SHORT_SPANS if seconds >= one[0]), _SHORT_SPANS[-1])
    return f"{seconds / scale:.3g} {unit}"
