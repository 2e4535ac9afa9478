"""Bars of nodes against the holdings that they are drawn from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcsim.metrics.series.nodes import MAX_BARS, MAX_NODES, nodes_series
from dcsim.tables import Table, empty_table
from dcsim.tables.holdings import NODE_HOLDINGS

Holding = tuple[int, str, float, float, float]  # node, holder, start, duration, accelerators


def table_of(rows: list[Holding], kind: str = "job") -> Table:
    columns = {name: np.empty(len(rows), dtype=column.dtype) for name, column in NODE_HOLDINGS.items()}
    for at, (node, holder, started_at_s, duration_s, count) in enumerate(rows):
        for name, value in zip(
            columns, (node, kind, holder, started_at_s, duration_s, count, 1), strict=True
        ):
            columns[name][at] = value
    return Table(columns)


def held(series: Mapping[str, Any]) -> float:
    return float(np.dot(series["duration_s"], series["num_accelerators"]))


def test_bars_end_where_holders_change_and_name_who_holds_most() -> None:
    rows = [(3, "7", 0.0, 10.0, 2.0), (3, "8", 5.0, 10.0, 4.0), (5, "7", 0.0, 10.0, 8.0)]
    found = nodes_series(table_of(rows))
    assert found["node"] == [3, 3, 3, 5]
    assert found["holder"] == ["7", "8", "8", "7"]
    assert found["started_at_s"] == [0.0, 5.0, 10.0, 0.0]
    assert found["duration_s"] == [5.0, 5.0, 5.0, 10.0]
    assert found["num_accelerators"] == [2.0, 6.0, 4.0, 8.0]
    assert found["num_holders"] == [1, 2, 1, 1]


def test_a_node_is_free_between_bars() -> None:
    found = nodes_series(table_of([(0, "1", 0.0, 2.0, 8.0), (0, "2", 5.0, 1.0, 8.0)]))
    assert list(zip(found["started_at_s"], found["duration_s"], strict=True)) == [(0.0, 2.0), (5.0, 1.0)]


def test_a_cluster_that_nobody_used_has_no_bars() -> None:
    assert nodes_series(empty_table(NODE_HOLDINGS))["node"] == []


def test_the_rest_is_counted_and_not_drawn() -> None:
    table = table_of([(0, "1", 0.0, 2.0, 8.0), (-1, "", 1.0, 1.0, 3.0)])
    table["num_holdings"][1] = 12
    found = nodes_series(table)
    assert (found["node"], found["num_holdings_left_out"]) == ([0], 12)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 80),
            st.sampled_from(["1", "2", "3"]),
            st.floats(0.0, 1e6),
            st.floats(1.0, 1e6),
            st.sampled_from([0.5, 1.0, 8.0]),
        ),
        max_size=150,
    )
)
def test_bars_are_few_do_not_overlap_and_lose_no_accelerator_time(rows: list[Holding]) -> None:
    found = nodes_series(table_of(rows))
    shown = set(found["node"])
    assert len(found["node"]) <= MAX_BARS
    assert found["num_nodes_left_out"] == max(len({row[0] for row in rows}) - MAX_NODES, 0)
    assert held(found) == pytest.approx(sum(row[3] * row[4] for row in rows if row[0] in shown), rel=1e-6)
    starts_s, ends_s = np.array(found["started_at_s"]), np.add(found["started_at_s"], found["duration_s"])
    same_node = np.diff(found["node"]) == 0
    assert (starts_s[1:][same_node] >= ends_s[:-1][same_node] - 1e-2).all()


def test_many_changes_become_few_bars_of_the_same_accelerator_time() -> None:
    rng = np.random.default_rng(1)
    rows = [
        (int(node), str(number), float(at_s), 40.0, 1.0)
        for number, (node, at_s) in enumerate(
            zip(rng.integers(0, 100, 20_000), rng.uniform(0.0, 1e5, 20_000), strict=True)
        )
    ]
    found = nodes_series(table_of(rows))
    shown = set(found["node"])
    assert len(shown) == MAX_NODES
    assert MAX_BARS / 2 < len(found["node"]) <= MAX_BARS
    assert len(json.dumps(found)) < 180_000
    assert held(found) == pytest.approx(sum(row[3] * row[4] for row in rows if row[0] in shown))
