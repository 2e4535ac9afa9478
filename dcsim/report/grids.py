"""Grids of labels and quantities, side by side where the terminal holds them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from dcsim.report.numbers import MISSING, quantity_text, scales_of
from dcsim.result import Estimate, SummaryView

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

STATISTICS = ("mean", "p50", "p90", "p95", "p99", "max")  # what stands below a quantity in the summary
_GAP = 4  # blanks between grids


def figure_text(view: SummaryView, path: str) -> str:
    """The number at a dotted path with its unit and interval; a dash where there is none."""
    found = view.find(path)
    if not isinstance(found, Estimate):
        return MISSING
    *_, parent, name = ("", *path.split("."))
    scales = scales_of(parent if name in STATISTICS else name)
    return quantity_text(found.value, scales, found.half_width, found.prediction)


def figure_grid(view: SummaryView, labels: Mapping[str, str]) -> Table:
    """Labels and the quantities at their paths; what the summary does not have is left out."""
    return text_grid({label: figure_text(view, path) for path, label in labels.items()})


def text_grid(texts: Mapping[str, str]) -> Table:
    """Labels and texts, those without left out."""
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    for label, text in texts.items():
        if text != MISSING:
            table.add_row(label, text)
    return table


def show_grids(console: Console, grids: Mapping[str, Table]) -> None:
    """Print grids under their titles, side by side where the terminal holds them, else below one another."""
    from rich.table import Table

    grids = {title: one for title, one in grids.items() if one.row_count}
    widths = [max(len(title), console.measure(one).maximum) for title, one in grids.items()]
    fits = sum(widths) + _GAP * (len(widths) - 1) <= console.width
    groups = [grids] if fits else [{title: one} for title, one in grids.items()]
    for number, group in enumerate(groups):
        if number:
            console.print()
        table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="dim")
        for title in group:
            table.add_column(title)
        table.add_row(*group.values())
        console.print(table)
