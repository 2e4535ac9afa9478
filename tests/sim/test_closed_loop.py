"""Clients of a closed loop: each has one request at a time, and time never runs backwards for it."""

from __future__ import annotations

import numpy as np
import pytest

from dcsim.sim.simulation import simulate
from dcsim.spec.loader import load
from dcsim.tables import RequestStatus, ServingTables

CASES = {
    "patient": {},
    "impatient": {"request_timeout": "1 s"},
    "turned away": {"max_queue": 1, "scheduler": {"policy": "chunked_prefill", "max_num_seqs": 1}},
}


def run(num_clients: int, **serving: object) -> ServingTables:
    lengths = {"policy": "lognormal", "prompt_mean": 3000, "output_mean": 300, "cv": 1.0}
    traffic = {"arrivals": {"policy": "closed_loop", "concurrency": num_clients}, "lengths": lengths}
    chat = {"model": "llama-3.1-8b", "engine": "vllm", "num_replicas": 2, "traffic": traffic, **serving}
    cluster = {"node": "dgx-h100", "num_nodes": 1}
    document = {"name": "clients", "duration": "60 s", "cluster": cluster, "serving": {"chat": chat}}
    return simulate(load(document), 0)["chat"]


@pytest.mark.parametrize("serving", CASES.values(), ids=CASES)
def test_requests_are_in_order_of_arrival(serving: dict[str, object]) -> None:
    arrived_at_s = np.asarray(run(6, **serving).requests["arrived_at_s"])
    assert (np.diff(arrived_at_s) >= -1e-9).all()


@pytest.mark.parametrize("serving", CASES.values(), ids=CASES)
def test_an_engine_runs_one_step_at_a_time(serving: dict[str, object]) -> None:
    steps = run(3, **serving).steps
    for engine in (0, 1):
        mine = steps["engine"] == engine
        started_at_s = np.asarray(steps["started_at_s"])[mine]
        ended_at_s = started_at_s + np.asarray(steps["duration_s"])[mine]
        assert (started_at_s[1:] >= ended_at_s[:-1] - 1e-9).all()


@pytest.mark.parametrize("serving", CASES.values(), ids=CASES)
def test_there_are_never_more_requests_than_clients(serving: dict[str, object]) -> None:
    requests = run(6, **serving).requests
    is_served = np.asarray(requests["status"]) != RequestStatus.REJECTED
    arrived_at_s = np.asarray(requests["arrived_at_s"])[is_served]
    left_at_s = np.nan_to_num(np.asarray(requests["finished_at_s"])[is_served], nan=np.inf)
    num_present = np.arange(1, len(arrived_at_s) + 1) - np.searchsorted(
        np.sort(left_at_s), arrived_at_s, side="right"
    )
    assert num_present.max() <= 6


def test_a_client_that_is_turned_away_pauses_for_a_second() -> None:
    requests = run(3, **CASES["turned away"], num_replicas=1).requests
    is_rejected = np.asarray(requests["status"]) == RequestStatus.REJECTED
    rejected_at_s = np.asarray(requests["arrived_at_s"])[is_rejected]
    later_s = rejected_at_s[rejected_at_s > 0.0]  # at 0 all three come at once
    assert len(later_s) > 5
    assert (
        np.diff(later_s).min() > 1.0 - 1e-9
    )  # one is served and one waits: only the third can be turned away
