"""Parts of a whole, each with its size, its share and a bar."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from dcsim.report.explain import bar_text
from dcsim.report.numbers import Scale, quantity_text

if TYPE_CHECKING:
    from rich.table import Table

_LEAST_FRAC = 0.0005  # smaller parts are summed up in the last row
_BAR_WIDTH = 10
_REST = "the rest"


def part_table(parts: Mapping[str, float], scales: tuple[Scale, ...], whole: float | None = None) -> Table:
    """A row for each part that is not negligible, as shares of the whole: their sum, if none is given."""
    from rich.table import Table

    total = sum(parts.values()) if whole is None else whole
    table = Table.grid(padding=(0, 1))
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True, min_width=_BAR_WIDTH)
    if not total > 0:
        return table
    rows = {label: size for label, size in parts.items() if size >= _LEAST_FRAC * total}
    rest = sum(parts.values()) - sum(rows.values())
    if rest >= _LEAST_FRAC * total:
        rows[_REST] = rest
    for label, size in rows.items():
        share = f"{size / total:.1%}".replace("%", " %")
        table.add_row(label, quantity_text(size, scales), share, bar_text(size / total, _BAR_WIDTH))
    return table
