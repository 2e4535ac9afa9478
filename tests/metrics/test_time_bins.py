import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcsim.metrics.time_bins import BinnedSums


def binned(edges, *rows):
    sums = BinnedSums(np.array(edges, dtype=float))
    started, duration, amount = np.array(rows, dtype=float).reshape(-1, 3).T
    sums.add(started, duration, {"amount": amount})
    return sums


def test_a_row_is_shared_out_by_the_time_it_spends_in_each_bin():
    assert binned([0, 4, 8, 12], (2.0, 8.0, 80.0)).bins("amount").tolist() == [20.0, 40.0, 20.0]


def test_time_outside_the_edges_does_not_count():
    assert binned([2, 4], (0.0, 10.0, 10.0), (5.0, 1.0, 7.0), (0.0, 2.0, 9.0)).bins("amount").tolist() == [
        2.0
    ]


def test_a_row_that_ends_on_an_edge_belongs_to_the_bin_before():
    assert binned([0, 1, 2], (0.0, 1.0, 3.0)).bins("amount").tolist() == [3.0, 0.0]


def test_no_rows_sum_to_nothing():
    assert BinnedSums(np.array([0.0, 1.0])).total("amount") == 0.0


@given(
    st.lists(st.tuples(st.floats(0, 90), st.floats(0.001, 10), st.floats(0, 100)), min_size=1, max_size=20)
)
def test_nothing_is_lost_inside_the_edges(rows):
    total = binned(np.linspace(0, 100, 8), *rows).total("amount")
    assert total == pytest.approx(sum(amount for _, _, amount in rows), rel=1e-9, abs=1e-9)
