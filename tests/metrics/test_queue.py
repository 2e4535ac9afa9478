"""The queue over time, by hand and by Little's law."""

from itertools import pairwise

import numpy as np
import pytest

from dcsim.metrics.queue import queue_spells
from dcsim.metrics.window import Window
from dcsim.study.run import run
from dcsim.tables import RequestStatus
from tests.metrics.by_hand import requests, scenario, serving_tables, steps

QUEUE = queue_spells(
    serving_tables(
        requests(
            {"arrived_at_s": 0.0, "scheduled_at_s": 2.0, "finished_at_s": 9.0},
            {"arrived_at_s": 1.0, "finished_at_s": 5.0, "status": RequestStatus.TIMED_OUT},
            {"arrived_at_s": 2.0, "finished_at_s": 2.0, "status": RequestStatus.REJECTED},
            {"arrived_at_s": 3.0, "status": RequestStatus.UNFINISHED},
        ),
        steps(),
    ),
    0.0,
)


def test_time_waited_in_the_window_over_its_length_is_the_mean_queue():
    assert QUEUE.mean_num_waiting(Window(0.0, 10.0)) == pytest.approx((2.0 + 4.0 + 7.0) / 10.0)
    assert QUEUE.mean_num_waiting(Window(4.0, 6.0)) == pytest.approx((1.0 + 2.0) / 2.0)


@pytest.mark.parametrize("edges_s", [[0.0, 10.0], [4.0, 6.0], [0.0, 1.5, 2.0, 5.0, 9.0], [3.0, 20.0]])
def test_the_time_waited_in_bins_is_that_of_their_mean_queues(edges_s):
    expected = [QUEUE.mean_num_waiting(Window(*ends)) * (ends[1] - ends[0]) for ends in pairwise(edges_s)]
    assert QUEUE.waited_s(np.array(edges_s)).tolist() == pytest.approx(expected)


def test_the_queue_at_an_instant_and_how_long_its_first_has_waited():
    np.testing.assert_array_equal(QUEUE.num_waiting(np.array([0.5, 1.5, 4.0, 8.0])), [1, 2, 2, 1])
    np.testing.assert_array_equal(
        QUEUE.longest_wait_s(np.array([0.5, 1.5, 2.0, 4.0, 8.0])), [0.5, 1.5, 1.0, 3.0, 5.0]
    )


def test_littles_law_holds_for_one_server():
    """One sequence at a time, Poisson arrivals: M/G/1; only the window's ends disagree."""
    given = scenario(
        duration="10 min",
        serving__chat__scheduler={"max_num_seqs": 1},
        serving__chat__traffic__arrivals={"policy": "poisson", "rate": "4 /s"},
        serving__chat__traffic__lengths={
            "policy": "lognormal",
            "prompt_mean": 100,
            "output_mean": 30,
            "cv": 1.0,
        },
    )
    chat = run(given, num_processes=1).summary["serving"]["chat"]
    expected = chat["offered_requests_per_s"] * chat["queue_wait_s"]["mean"]
    assert expected > 0.3
    assert chat["num_waiting"]["mean"] == pytest.approx(expected, rel=0.02)
