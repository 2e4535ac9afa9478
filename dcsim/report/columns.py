"""Rows of text as columns: how wide they are, so that nothing is cut, and the table that shows them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from rich.table import Table

_GAP = 2  # blanks between columns


def text_width(rows: Sequence[Sequence[str]]) -> int:
    """How wide the rows are, side by side with a gap.

    >>> text_width([("a", "12"), ("bcd", "3")])
    7
    """
    widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
    return sum(widths) + _GAP * (len(widths) - 1)


def columns_table(rows: Sequence[Sequence[str]], justify: Literal["left", "right"]) -> Table:
    """A table without lines; the first row holds the titles, and all columns but the first are justified."""
    from rich.table import Table

    titles, *body = rows
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="dim")
    for number, title in enumerate(titles):
        table.add_column(title, justify=justify if number else "left", no_wrap=True)
    for row in body:
        table.add_row(*row)
    return table
