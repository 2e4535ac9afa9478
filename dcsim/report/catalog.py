"""The catalogue for people: kinds, names, and each value of an entry with its source."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dcsim.catalog.loader import KINDS, entry_names, load_entry, provenance
from dcsim.errors import Problem, ScenarioError
from dcsim.validation import nearest

if TYPE_CHECKING:
    from rich.console import Console


def show_kinds(console: Console) -> None:
    """Print the kinds of the catalogue and how much stands on each shelf."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("kind")
    table.add_column("entries", justify="right")
    table.add_column("names", overflow="fold")
    for kind in KINDS:
        table.add_row(kind, str(len(entry_names(kind))), ", ".join(entry_names(kind)))
    console.print(table)


def show_kind(console: Console, kind: str) -> None:
    """Print the entries of one kind. Raises ScenarioError for an unknown kind."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("name", no_wrap=True)
    table.add_column("title", overflow="fold")
    table.add_column("estimates", justify="right")
    for name in entry_names(_known(kind)):
        num_estimates = sum(one.is_estimate for one in provenance(kind, name))
        table.add_row(name, load_entry(kind, name).title, str(num_estimates) if num_estimates else "")
    console.print(table)


def show_entry(console: Console, kind: str, name: str) -> None:
    """Print one entry: values, units, sources, why an estimate is one. Raises ScenarioError if unknown."""
    from rich.table import Table
    from rich.text import Text

    entry = load_entry(_known(kind), name)
    values = provenance(kind, name)
    console.print(Text(f"{kind}/{name}", style="bold"), Text(f"  {entry.title}"), sep="")
    console.print(Text(f"source: {entry.source}"))
    console.print()
    table = Table(box=None, pad_edge=False)
    table.add_column("value of", overflow="fold")
    table.add_column("value", overflow="fold")
    table.add_column("source", overflow="fold", ratio=1)
    for one in values:
        about = "" if one.source == entry.source else one.source
        if one.is_estimate:
            about = f"estimate: {one.why}" + (f" ({about})" if about else "")
        table.add_row(
            Text(one.path), Text(one.value_text), Text(about, style="yellow" if one.is_estimate else "")
        )
    console.print(table)


def _known(kind: str) -> str:
    if kind not in KINDS:
        raise ScenarioError(
            Problem(file="catalog", message=f"no kind '{kind}'", remedy=nearest(kind, list(KINDS)))
        )
    return kind
