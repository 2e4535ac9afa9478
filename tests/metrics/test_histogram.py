import numpy as np
import pytest

from dcsim.metrics.histogram import count_histogram, duration_histogram


def test_every_duration_is_counted_once_in_the_bin_that_holds_it():
    durations_s = np.random.default_rng(1).lognormal(size=5000)
    found = duration_histogram(durations_s)
    assert len(found["edges"]) == len(found["counts"]) + 1 == 61
    assert found["edges"][-1] == durations_s.max()
    assert found["counts"][1:] == np.histogram(durations_s, found["edges"])[0][1:].tolist()
    assert sum(found["counts"]) == 5000


def test_durations_of_zero_are_counted_apart_and_so_is_rounding():
    found = duration_histogram(np.array([0.0, 1e-14, 0.2, 0.4]))
    assert found["num_zero"] == 2
    assert sum(found["counts"]) == 2
    assert found["edges"][0] == pytest.approx(0.2, rel=1e-3)


@pytest.mark.parametrize("durations_s", [[], [0.0]])
def test_without_a_duration_above_zero_there_are_no_bins(durations_s):
    found = duration_histogram(np.array(durations_s))
    assert found == {"edges": [], "counts": [], "num_zero": len(durations_s)}


def test_equal_durations_lie_in_one_bin_of_ascending_edges():
    found = duration_histogram(np.full(7, 0.3))
    assert found["counts"][0] == 7
    assert np.all(np.diff(found["edges"]) > 0)


def test_numbers_of_tokens_lie_between_whole_edges_and_every_small_one_has_its_bin():
    found = count_histogram(np.array([1, 1, 2, 3, 1000]))
    assert found["edges"][:4] == [1, 2, 3, 4]
    assert found["counts"][:3] == [2, 1, 1]
    assert found["edges"][-1] == 1001
    assert found["counts"][-1] == 1


@pytest.mark.parametrize(
    ("counts", "edges"), [([300, 300], [300, 301]), ([0, 1], [0, 1, 2]), ([0], [0, 1]), ([], [])]
)
def test_few_numbers_have_few_edges(counts, edges):
    found = count_histogram(np.array(counts, dtype=np.int64))
    assert found["edges"] == edges
    assert sum(found["counts"]) == len(counts)
