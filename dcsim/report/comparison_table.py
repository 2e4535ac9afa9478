"""The numbers of a comparison as tables: the baseline and as many other results as the terminal holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from dcsim.report.columns import columns_table, text_width
from dcsim.report.numbers import MISSING, PERCENT, digits_text, quantity_text, scales_of
from dcsim.result import Estimate
from dcsim.study.compared_number import ANY
from dcsim.study.comparison import Comparison
from dcsim.study.comparison_row import ComparisonRow
from dcsim.study.difference import Difference, Significance

if TYPE_CHECKING:
    from rich.table import Table

_MARKS = {
    Significance.CLEAR: "**",
    Significance.BEYOND_NOISE: "*",
    Significance.WITHIN_NOISE: "~",
    Significance.UNKNOWN: "?",
}
_LEGEND = (
    "Differences are from the baseline. ~ within the noise of the replications; * beyond it; ** beyond what "
    "is not known of the calibration too; ? noise not known."
)
_PAIRED = "{results} paired with the baseline: same seed and requests, so that the noise they share cancels."
_LEAST_AS_FACTOR = 9.0  # from tenfold on, a change is told as a factor
_WHOLE_PERCENT_FROM = 0.0995  # less is written with a decimal: 9.9 %, 10 %
_MARK_WIDTH, _CHANGE_WIDTH = 2, 7


def comparison_tables(comparison: Comparison, width: int) -> Iterator[Table]:
    """Tables of all numbers: the results in order, the baseline repeated in each table."""
    others = [index for index in range(len(comparison.labels)) if index != comparison.baseline]
    for num_columns in range(len(others), 0, -1):
        groups = [others[start : start + num_columns] for start in range(0, len(others), num_columns)]
        tables = [_text_rows(comparison, group) for group in groups]
        if all(text_width(rows) <= width for rows in tables):
            break
    yield from (columns_table(rows, "right") for rows in tables)


def legend(comparison: Comparison) -> str:
    """What the marks mean, and which results share their noise with the baseline."""
    indices = [index for index, is_paired in enumerate(comparison.is_paired) if is_paired]
    names = ", ".join(f"#{index + 1}" for index in indices if index != comparison.baseline)
    verb = "is" if "," not in names else "are"
    return f"{_LEGEND} {_PAIRED.format(results=f'{names} {verb}')}" if names else _LEGEND


def _text_rows(comparison: Comparison, others: Sequence[int]) -> list[tuple[str, ...]]:
    shown = sorted([comparison.baseline, *others])
    rows: list[tuple[str, ...]] = [("", *(f"#{index + 1}" for index in shown))]
    for section, members in groupby(comparison.rows, key=lambda row: _heading(row.path)):
        names = comparison.names_of_any.get(section)
        rows.append((section, *("" if names is None else names[index] for index in shown)))
        rows += [_text_row(row, shown, comparison.baseline) for row in members]
    return rows


def _heading(path: str) -> str:
    """What the rows of a workload or a job, or of another section, stand under.

    >>> _heading("serving.chat.ttft_s.p99"), _heading("training.*.mfu_frac"), _heading("cost.usd_per_yr")
    ('chat', 'training', 'cost')
    """
    kind, _, rest = path.partition(".")
    return kind if rest.startswith(f"{ANY}.") else _split(path)[0]


def _split(path: str) -> tuple[str, str]:
    """The section that a path stands in and its name there.

    >>> _split("serving.chat.ttft_s.p99"), _split("cost.usd_per_yr")
    (('chat', 'ttft_s.p99'), ('cost', 'usd_per_yr'))
    """
    section, _, name = path.removeprefix("serving.").removeprefix("training.").partition(".")
    return section, name


def _text_row(row: ComparisonRow, shown: Sequence[int], baseline: int) -> tuple[str, ...]:
    name = _split(row.path)[1]
    cells = [
        _value_text(row.values[index], name)
        + ("" if index == baseline else f" {_difference_text(row.differences[index])}")
        for index in shown
    ]
    return (f"  {name}", *cells)


def _value_text(value: Estimate | None, name: str) -> str:
    return quantity_text(value.value if value else None, scales_of(name.split(".")[0]))


def _difference_text(one: Difference | None) -> str:
    """A mark and a relative difference, each at the end of a place of its own.

    >>> _difference_text(Difference(-1.0, -0.25, Significance.CLEAR))
    '**   -25 %'
    """
    mark, change = "", MISSING
    if one is not None:
        mark, change = _MARKS[one.significance], _change_text(one)
    return f"{mark:>{_MARK_WIDTH}} {change:>{_CHANGE_WIDTH}}"


def _change_text(one: Difference) -> str:
    if one.absolute == 0.0:
        return "same"
    if one.relative_frac is None:
        return MISSING
    if one.relative_frac >= _LEAST_AS_FACTOR:
        return f"x {digits_text(one.relative_frac + 1.0)}"
    num_decimals = 0 if abs(one.relative_frac) >= _WHOLE_PERCENT_FROM else 1
    return f"{one.relative_frac / PERCENT[0].factor:+.{num_decimals}f} {PERCENT[0].unit}"
