import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcsim.metrics.run_bins import RunBins, run_bins
from dcsim.metrics.window import Window
from dcsim.tables import RunTables
from tests.metrics.by_hand import requests, serving_tables, steps


def bins_of(started_at_s: float, ended_at_s: float, run_ended_at_s: float) -> RunBins:
    tables = serving_tables(requests(), steps(), ended_at_s=run_ended_at_s)
    return run_bins(RunTables({"chat": tables}), Window(started_at_s, ended_at_s))


def test_a_warmup_that_is_a_round_part_of_the_run_is_whole_bins_from_zero():
    bins = bins_of(60.0, 360.0, 371.0)
    assert bins.span.started_at_s == 0.0
    assert bins.span.ended_at_s >= 371.0
    assert 60.0 / bins.bin_s == pytest.approx(round(60.0 / bins.bin_s))


@given(st.floats(0, 1e4), st.floats(0.01, 1e6), st.floats(0, 1e4))
def test_the_window_is_whole_bins_unless_it_is_a_small_part_of_the_run(warmup_s, length_s, drain_s):
    ended_at_s = warmup_s + length_s
    bins = bins_of(warmup_s, ended_at_s, ended_at_s + drain_s)
    assert 1 <= bins.num_bins <= 400
    assert -bins.bin_s < bins.span.started_at_s <= 1e-9 * bins.bin_s
    assert bins.span.ended_at_s >= ended_at_s + drain_s
    if length_s > 0.01 * (ended_at_s + drain_s):
        for instant_s in (warmup_s, ended_at_s):
            off_s = np.abs(bins.edges_s() - instant_s).min()
            assert off_s <= 1e-6 * bins.bin_s


def test_a_long_drain_does_not_make_more_bins():
    assert bins_of(0.0, 1.0, 1e6) == RunBins(Window(0.0, 1e6), 300)


def test_a_run_that_took_no_time_is_drawn_all_the_same():
    assert bins_of(0.0, 0.0, 0.0).num_bins == 1


def test_every_instant_is_counted_once_wherever_rounding_put_it():
    bins = RunBins(Window(0.0, 10.0), 5)
    assert bins.counts(np.array([10.0 + 1e-9, 0.0, -1e-9, 2.0, 9.9])).tolist() == [2, 1, 0, 0, 2]
