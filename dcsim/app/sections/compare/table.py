"""All numbers of all runs, with differences and what these are worth."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from dcsim import Comparison, ComparisonRow, Estimate, Result, quantity_text, scales_of
from dcsim.app.quantities import quantity_name
from dcsim.app.sentences import row_label
from dcsim.app.show import MISSING, percent_text
from dcsim.app.words import Words

ORDER = 4


def show(comparison: Comparison, results: Sequence[Result], words: Words) -> None:
    """The table."""
    with st.expander(words("compare.all")):
        columns: dict[str, list[str]] = {
            words("energy.what"): [row_label(row.path, words) for row in comparison.rows]
        }
        for number, label in enumerate(comparison.labels):
            columns[label] = [_cell(row, number) for row in comparison.rows]
            if number != comparison.baseline:
                columns[f"{label} ±"] = [_difference(row, number, words) for row in comparison.rows]
        st.dataframe(columns, hide_index=True)


def _cell(row: ComparisonRow, number: int) -> str:
    one: Estimate | None = row.values[number]
    name = quantity_name(row.path)
    if one is None:
        return MISSING
    return quantity_text(one.value, scales_of(name), one.half_width, one.prediction)


def _difference(row: ComparisonRow, number: int, words: Words) -> str:
    one = row.differences[number]
    if one is None or one.relative_frac is None:
        return MISSING
    change = percent_text(one.relative_frac, is_signed=True)
    return f"{change}, {words(f'significance.{one.significance.value}')}"
