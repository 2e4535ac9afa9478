"""The catalogue for people: kinds, names, and each value of an entry with its source."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dcsim.catalog.loader import KINDS, entry_names, load_entry, provenance
from dcsim.catalog.model import Model
from dcsim.errors import Problem, ScenarioError
from dcsim.formulas.datatypes import Datatype
from dcsim.formulas.transformer import (
    TransformerShape,
    kv_elements_per_token,
    num_active_parameters,
    num_parameters,
)
from dcsim.report.key_figures import catalogue_kinds, entry_title
from dcsim.report.numbers import BYTES, digits_text, quantity_text
from dcsim.validation import nearest

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_PARAMETERS_PER_G = 1e9
_LONGEST_VALUE = 120  # characters; lists of quantiles are longer than anyone reads


def show_kinds(console: Console) -> None:
    """Print the kinds of the catalogue and what stands on each shelf."""
    table = _table()
    table.add_column("kind", no_wrap=True)
    table.add_column("entries", justify="right")
    table.add_column("names", overflow="fold")
    for kind in catalogue_kinds():
        table.add_row(kind, str(len(entry_names(kind))), ", ".join(entry_names(kind)))
    console.print(table)


def show_kind(console: Console, kind: str) -> None:
    """Print the entries of one kind. Raises ScenarioError for an unknown kind."""
    table = _table()
    table.add_column("name", no_wrap=True)
    table.add_column("title", overflow="fold")
    table.add_column("estimates", justify="right")
    for name in entry_names(_known(kind)):
        num_estimates = sum(one.is_estimate for one in provenance(kind, name))
        table.add_row(name, entry_title(kind, name)[0], str(num_estimates) if num_estimates else "")
    console.print(table)


def show_entry(console: Console, kind: str, name: str) -> None:
    """Print one entry: values, units, sources, why an estimate is one. Raises ScenarioError if unknown."""
    from rich.text import Text

    title, source = entry_title(_known(kind), name)
    console.print(Text.assemble((f"{kind}/{name}", "bold"), f"  {title}"))
    console.print(Text(f"source: {source}"))
    entry = load_entry(kind, name) if kind in KINDS else None
    if isinstance(entry, Model):
        console.print(Text(sizes_text(entry.shape)))
    console.print()
    table = _table()
    table.add_column("value of", overflow="fold")
    table.add_column("value", overflow="fold")
    table.add_column("source, where it is another", overflow="fold", ratio=1)
    for one in provenance(kind, name):
        about = "" if one.source == source else one.source
        if one.is_estimate:
            about = f"estimate: {one.why}" + (f" ({about})" if about else "")
        value = one.value_text
        shown = value if len(value) <= _LONGEST_VALUE else value[: _LONGEST_VALUE - 3] + "..."
        table.add_row(Text(one.path), Text(shown), Text(about, style="yellow" if one.is_estimate else ""))
    console.print(table)


def sizes_text(shape: TransformerShape) -> str:
    """What a model's card says too, to check the entry by: parameters and the KV cache of a token.

    >>> sizes_text(TransformerShape(32, 4096, 32, 8, 128, 14336, 128256))
    'computed: 8.03 G parameters, 8.03 G active per token; 131 kB of KV cache per token in 16 bits'
    """
    total, active = (
        digits_text(count / _PARAMETERS_PER_G)
        for count in (num_parameters(shape), num_active_parameters(shape))
    )
    kv_bytes = kv_elements_per_token(shape, shape.num_kv_heads) * Datatype.BF16.num_bytes
    kv_cache = quantity_text(kv_bytes, BYTES)
    return (
        f"computed: {total} G parameters, {active} G active per token; "
        f"{kv_cache} of KV cache per token in 16 bits"
    )


def _table() -> Table:
    from rich.table import Table

    return Table(box=None, pad_edge=False, header_style="dim", expand=False)


def _known(kind: str) -> str:
    if kind not in catalogue_kinds():
        remedy = nearest(kind, catalogue_kinds())
        raise ScenarioError(Problem(file="catalog", message=f"no kind '{kind}'", remedy=remedy))
    return kind
