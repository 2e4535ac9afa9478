"""Breakdowns of the fabric: planned and by chance, each cable back when the last of its outages is over."""

from __future__ import annotations

import numpy as np
import pytest
import simpy

from dcsim.networks.flow import Flow
from dcsim.policies.routings.spray import Spray
from dcsim.sim.fabric.breakdowns import Breakdowns
from dcsim.sim.fabric.fabric import Fabric
from dcsim.sim.fabric.fabric_log import Outage
from dcsim.sim.fabric.start_breakdowns import start_breakdowns
from dcsim.sim.streams import Streams
from dcsim.spec.fabric import FabricSpec
from tests.networks.networks import network


def fabric_of(name: str = "leaf_spine") -> tuple[simpy.Environment, Fabric]:
    environment = simpy.Environment()
    return environment, Fabric(environment, network(name), routing=Spray())


def test_a_cable_of_two_outages_returns_with_the_later() -> None:
    environment, fabric = fabric_of()
    spine = fabric.network.cables_of("spine 0")
    outages = [Outage("spine 0", spine, 1.0, 4.0), Outage("one cable", spine[:1], 2.0, 10.0)]
    Breakdowns(environment, fabric).plan(outages)
    told: list[tuple[float, float]] = []
    flows = [Flow(n, (n + 4) % 16, 0.0) for n in range(16)]
    fabric.occupy(flows, "job", lambda share: told.append((environment.now, share)))
    environment.run(until=20)
    assert told == [(1, pytest.approx(0.75)), (12, pytest.approx(1.0))]


def test_a_planned_outage_of_the_scenario_is_in_the_table() -> None:
    environment, fabric = fabric_of()
    outages = [
        {"switch": "spine 1", "at": "2 s", "duration": "3 s"},
        {"cable": ["leaf 0", "spine 2"], "at": "4 s", "duration": "1 h"},
    ]
    spec = FabricSpec.model_validate({"outages": outages})
    start_breakdowns(environment, fabric, spec, Streams(1, 0))
    environment.run(until=10)
    table = fabric.tables()["fabric_outages"]
    assert table["what"].tolist() == ["spine 1", "leaf 0 - spine 2"]
    assert table["duration_s"].tolist() == [3.0, 6.0]
    assert table["num_cables"].tolist() == [4, 1]


def test_cables_fail_as_often_as_their_mean_time_says() -> None:
    environment, fabric = fabric_of()
    spec = FabricSpec.model_validate({"failures": {"cable_mtbf": "1000 s", "repair": "1 s"}})
    start_breakdowns(environment, fabric, spec, Streams(1, 0))
    environment.run(until=20_000)
    expected = fabric.network.num_cables * 20_000 / 1001  # those that are down do not fail
    count = len(fabric.tables()["fabric_outages"])
    assert abs(count - expected) < 3.3 * np.sqrt(expected)  # 0.999 of the Poisson distribution


def test_switches_fail_by_a_stream_of_their_own() -> None:
    tables = []
    for failures in ({"switch_mtbf": "100 s"}, {"switch_mtbf": "100 s", "cable_mtbf": "1000 s"}):
        environment, fabric = fabric_of()
        spec = FabricSpec.model_validate({"failures": {**failures, "repair": "1 s"}})
        start_breakdowns(environment, fabric, spec, Streams(1, 0))
        environment.run(until=500)
        tables.append(fabric.tables()["fabric_outages"])
    alone, both = tables
    is_switch = ["-" not in name for name in both["what"]]
    assert both["what"][is_switch].tolist() == alone["what"].tolist()
    assert both["started_at_s"][is_switch].tolist() == alone["started_at_s"].tolist()


def test_the_ports_of_gateways_do_not_fail_by_chance() -> None:
    environment = simpy.Environment()
    fabric = Fabric(environment, network("leaf_spine").with_gateway("lustre", 1.0))
    spec = FabricSpec.model_validate(
        {"failures": {"cable_mtbf": "10 s", "switch_mtbf": "10 s", "repair": "1 s"}}
    )
    start_breakdowns(environment, fabric, spec, Streams(1, 0))
    environment.run(until=100)
    assert not [name for name in fabric.tables()["fabric_outages"]["what"] if "lustre" in str(name)]
