import numpy as np
import pytest

from dcsim.metrics.replica_use import ReplicaUse
from dcsim.metrics.step_rows import OrderedSteps
from dcsim.metrics.window import Window
from dcsim.spec.deployment import resolve_deployment
from tests.metrics.by_hand import requests, scenario, served, steps


def use(num_replicas, request_rows, step_rows, num_lanes=1):
    given = scenario(
        cluster__num_nodes=20,
        serving__chat__num_replicas=num_replicas,
        serving__chat__parallelism={"pipeline": num_lanes},
    )
    found = ReplicaUse(resolve_deployment(given, "chat"), Window(2.0, 10.0))
    ordered = OrderedSteps(steps(*step_rows))
    for rows in ordered.chunks():
        found.add(rows, ordered.engine[rows.first : rows.first + len(rows)])
    return found.figures(requests(*request_rows))


def test_only_what_happens_in_the_window_counts():
    rows = [
        {"engine": 0, "started_at_s": 0.0, "duration_s": 4.0, "num_steps": 4, "num_decodes": 5},
        {"engine": 1, "started_at_s": 6.0, "duration_s": 8.0, "num_steps": 8, "num_decodes": 1},
    ]
    found = use(2, [served(0.0, e2e=1.0), served(0.0, e2e=5.0), served(9.0, replica=1)], rows)
    assert found["replica"] == [0, 1]
    assert found["utilization_frac"] == [0.25, 0.5]
    assert found["num_output_tokens"] == [10.0, 4.0]
    assert found["num_finished"] == [1, 0]
    assert found["rest"]["num_replicas"] == 0
    assert found["rest"]["utilization_frac"] is None


def test_the_lanes_of_a_replica_are_one():
    rows = [{"engine": engine, "started_at_s": 2.0, "duration_s": 8.0} for engine in (0, 1, 2)]
    assert use(2, [], rows, num_lanes=2)["utilization_frac"] == [1.0, 0.5]


def test_replicas_beyond_the_first_sixty_four_are_summed():
    finished = [served(3.0, e2e=1.0, replica=replica) for replica in (63, 64, 69)]
    rows = [
        {"engine": engine, "started_at_s": 2.0, "duration_s": 4.0, "num_decodes": 1} for engine in range(70)
    ]
    found = use(70, finished, rows)
    assert len(found["replica"]) == len(found["num_finished"]) == 64
    assert sum(found["num_finished"]) == 1
    assert found["rest"] == {
        "num_replicas": 6,
        "num_finished": 2,
        "num_output_tokens": 6.0,
        "utilization_frac": pytest.approx(0.5),
    }
    assert np.sum(found["num_output_tokens"]) == 64.0
