"""Replicas that fail under their requests, and come back."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import simpy
from hypothesis import given, settings
from hypothesis import strategies as st

import dcsim
from dcsim.policies.routers.least_outstanding import LeastOutstanding
from dcsim.policies.routers.round_robin import RoundRobin
from dcsim.sim.failures.process import FailureProcess
from dcsim.sim.failures.spares import SparePool
from dcsim.sim.holdings import Holder, Places
from dcsim.sim.requests import RequestStream
from dcsim.sim.serving.fleet import Fleet
from dcsim.sim.serving.outage import GroupOutages, Recovery, ReplicaGroup, replica_groups
from dcsim.sim.simulation import simulate
from dcsim.sim.streams import Streams
from dcsim.spec.reliability import ClusterShape, Reliability
from dcsim.tables import RequestStatus
from dcsim.tables.holdings import HolderKind
from tests.sim.drive import EngineTimer
from tests.sim.fleets import deployment
from tests.sim.twin import TwinOptions
from tests.truth.timers import ConstantTimer

STEP_S = 0.1
OPTIONS = TwinOptions(
    scheduler="chunked_prefill", max_num_seqs=8, max_num_batched_tokens=512, num_blocks=1000, block_size=16
)


def fleet_of(
    num_replicas: int,
    arrived_at_s: Sequence[float],
    num_outputs: int,
    router: object = None,
    num_lanes: int = 1,
) -> tuple[simpy.Environment, Fleet]:
    environment, count = simpy.Environment(), len(arrived_at_s)
    stream = RequestStream(
        np.array(arrived_at_s, dtype=np.float64),
        np.full(count, 16),
        np.full(count, num_outputs),
        np.full(count, -1),
        num_prefix_tokens=0,
    )
    fleet = Fleet(
        environment,
        deployment(OPTIONS, router or LeastOutstanding(), num_replicas, num_lanes),  # type: ignore[arg-type]
        stream,
        Streams(1, 0),
        EngineTimer(ConstantTimer(STEP_S)),
        duration_s=None,
        drain_s=100_000.0,
        is_stepwise=False,
        may_pause=True,
    )
    fleet.start()
    return environment, fleet


def at(environment: simpy.Environment, instant_s: float, call: object, replica: int) -> None:
    event = environment.timeout(instant_s)
    event.callbacks.append(lambda _: call(replica))  # type: ignore[operator]


def test_a_request_whose_replica_fails_starts_over_on_another_and_its_client_waits_from_its_arrival() -> None:
    environment, fleet = fleet_of(2, [0.0], num_outputs=100)
    at(environment, 5.05, fleet.take_down, 0)
    environment.run(until=1000.0)
    fleet.advance(1000.0)
    requests = fleet.finish().requests
    assert requests["replica"].tolist() == [1]
    assert requests["finished_at_s"].tolist() == [pytest.approx(5.05 + 100 * STEP_S)]
    assert requests["first_token_at_s"].tolist() == [pytest.approx(5.05 + STEP_S)]
    assert requests["arrived_at_s"].tolist() == [0.0]


def test_requests_without_a_replica_wait_for_the_first_to_come_back() -> None:
    environment, fleet = fleet_of(1, [0.0, 20.0, 30.0], num_outputs=10)
    at(environment, 0.55, fleet.take_down, 0)
    at(environment, 50.0, fleet.bring_up, 0)
    environment.run(until=1000.0)
    fleet.advance(1000.0)
    requests = fleet.finish().requests
    assert requests["finished_at_s"].tolist() == pytest.approx([51.0] * 3)
    assert (requests["status"] == RequestStatus.FINISHED).all()


@settings(max_examples=30)
@given(
    st.lists(st.tuples(st.floats(0.01, 60.0), st.integers(0, 2), st.floats(0.1, 30.0)), max_size=8),
    st.sampled_from([LeastOutstanding(), RoundRobin()]),
    st.sampled_from([1, 2]),
)
def test_no_request_is_lost_or_done_twice_and_nothing_runs_on_a_replica_that_is_down(
    outages: list[tuple[float, int, float]], router: object, num_lanes: int
) -> None:
    arrivals = [0.37 * i for i in range(150)]
    environment, fleet = fleet_of(3, arrivals, 20, router, num_lanes)
    down: list[tuple[int, float, float]] = []
    for started_at_s, replica, length_s in sorted(outages):
        if all(replica != one or started_at_s > end_s + 0.01 for one, _, end_s in down):
            at(environment, started_at_s, fleet.take_down, replica)
            at(environment, started_at_s + length_s, fleet.bring_up, replica)
            down.append((replica, started_at_s, started_at_s + length_s))
    environment.run(until=5_000.0)
    fleet.advance(5_000.0)
    assert fleet.is_done
    tables = fleet.finish()
    assert (tables.requests["status"] == RequestStatus.FINISHED).all()
    assert (tables.requests["num_generated_tokens"] == 20).all()
    replicas = tables.steps["engine"] // num_lanes
    for replica, started_at_s, ended_at_s in down:
        starts_s = tables.steps["started_at_s"][replicas == replica]
        assert not ((starts_s > started_at_s) & (starts_s < ended_at_s)).any()


@pytest.mark.parametrize(
    ("size", "groups"),
    [
        (1, [ReplicaGroup((0, 1, 2, 3, 4, 5, 6, 7), (5,)), ReplicaGroup((8, 9), (6,))]),
        (
            3,
            [
                ReplicaGroup((0, 1, 2), (5,)),
                ReplicaGroup((3, 4, 5), (6,)),
                ReplicaGroup((6, 7), (7,)),
                ReplicaGroup((8, 9), (8,)),
            ],
        ),
        (16, [ReplicaGroup((i,), (5 + 2 * i, 6 + 2 * i)) for i in range(10)]),
    ],
)
def test_replicas_fail_with_the_nodes_that_they_lie_on(size: int, groups: list[ReplicaGroup]) -> None:
    assert replica_groups(10, size, 8, 40) == groups


def test_a_failed_node_takes_its_replicas_down_until_a_spare_has_their_weights(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    path = tmp_path_factory.mktemp("failures") / "failures.csv"
    path.write_text("at_s,node\n10.05,0\n", encoding="utf-8")
    cause = {"component": "node", "times": {"policy": "trace", "path": str(path)}}
    times = {"detection": "3 s", "diagnosis": "2 s", "swap": "4 s", "initialization": "5 s", "warmup": "1 s"}
    section = Reliability.model_validate({"preset": {"base": "none", "causes": {"one": cause}}, **times})
    environment, fleet = fleet_of(1, [0.2 * i for i in range(100)], num_outputs=1)
    failures = FailureProcess(environment, section, ClusterShape(2, 8, 8, {}), Streams(1, 0))
    pool = SparePool(failures, [1])
    loaded: list[Sequence[int]] = []

    def load(nodes: Sequence[int]) -> simpy.Event:
        loaded.append(nodes)
        return environment.timeout(20.0)

    group = ReplicaGroup((0,), (0,))
    places = Places(failures.holdings, Holder(HolderKind.SERVING, "chat"), {0: 8.0})
    GroupOutages(environment, fleet, group, places, Recovery(section.recovery, load), failures, pool)
    failures.start()
    environment.run(until=1000.0)
    fleet.advance(1000.0)
    finished_at_s = fleet.finish().requests["finished_at_s"]
    assert loaded == [[1]]
    back_at_s = 10.05 + 3 + 2 + 4 + 5 + 20 + 1
    assert finished_at_s[finished_at_s > 10.3].min() == pytest.approx(back_at_s + STEP_S)
    assert (finished_at_s < 10.3).sum() == 51


def test_a_scenario_serves_on_through_failures_and_loses_no_request() -> None:
    scenario = dcsim.load(
        {
            "name": "outages",
            "duration": "20 min",
            "cluster": {"node": "dgx-h100", "num_nodes": 3, "storage": {"fs": "lustre-flash"}},
            "serving": {
                "chat": {
                    "model": "llama-3.1-8b",
                    "engine": "vllm",
                    "num_replicas": 16,
                    "traffic": {
                        "arrivals": {"policy": "poisson", "rate": "8 /s"},
                        "lengths": {"policy": "fixed", "prompt": 200, "output": 600},
                    },
                }
            },
            "reliability": {
                "node_mtbf": "10 min",
                "node_mttr": "2 min",
                "spares": 1,
                "weights": "fs",
                "detection": "5 s",
                "diagnosis": "0 s",
            },
        }
    )
    tables = simulate(scenario, 0)
    requests = tables["chat"].requests
    assert (requests["status"] == RequestStatus.FINISHED).all()
    assert len(tables.cluster["failures"]) > 0
    labels = set(tables.cluster["storage_operations"]["label"])
    assert "weights llama-3.1-8b" in labels
    alone = simulate(scenario.replace({"reliability": None}), 0)["chat"].requests
    assert (requests["arrived_at_s"] == alone["arrived_at_s"]).all()
    assert requests["finished_at_s"].mean() > alone["finished_at_s"].mean()
