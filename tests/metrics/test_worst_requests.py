import numpy as np
import pytest

from dcsim.metrics.request_view import view_requests
from dcsim.metrics.window import Window
from dcsim.metrics.worst_requests import Measured, worst_requests
from dcsim.spec.serving import Slo
from dcsim.tables import RequestStatus
from tests.metrics.by_hand import requests, served

LOST = {"arrived_at_s": 1.0, "first_token_at_s": 99.0, "status": RequestStatus.UNFINISHED}


def measured(*rows):
    table = requests(*rows)
    return Measured(table, view_requests(table, Window(0.5, 10.0), 0.0, Slo()))


def random_replication(seed):
    """Latencies in tenths of a second, so that many are equal."""
    drawn = np.random.default_rng(seed).integers(1, 30, (200, 2)) / 10.0
    return measured(LOST, *(served(1.0, ttft=ttft, e2e=ttft + more) for ttft, more in drawn))


@pytest.mark.parametrize("latency", ["e2e_s", "ttft_s"])
def test_the_worst_are_those_that_a_plain_sort_puts_first(latency):
    replications = [random_replication(seed) for seed in (1, 2, 3)]
    everyone = [
        (-getattr(one.view, latency)[at], number, at)
        for number, one in enumerate(replications)
        for at in np.flatnonzero(one.view.status == RequestStatus.FINISHED).tolist()
    ]
    expected = sorted(everyone)[:20]
    found = worst_requests(replications, latency)
    assert found["replication"] == [number for _, number, _ in expected]
    assert found["request"] == [at for _, _, at in expected]
    assert found[latency] == [-value_s for value_s, _, _ in expected]


def test_rows_are_those_of_the_table_also_after_a_warmup():
    found = worst_requests([measured(served(0.0, e2e=9.0), served(2.0, num_preemptions=3))], "e2e_s")
    assert found["request"] == [1]
    assert found["num_preemptions"] == [3]
    assert found["arrived_at_s"] == [2.0]


def test_what_a_request_does_not_have_is_null():
    assert worst_requests([measured(served(1.0, num_output_tokens=1))], "e2e_s")["tpot_s"] == [None]


def test_nobody_who_finished_leaves_empty_lists():
    assert set(map(len, worst_requests([measured(LOST)], "e2e_s").values())) == {0}
