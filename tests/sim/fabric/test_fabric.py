"""The fabric on the clock: completion times, shares, failures, and bytes that are neither lost nor made."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import simpy

from dcsim.formulas.network.incast import IncastPenalty
from dcsim.networks.flow import Flow, gather_flows, ring_flows
from dcsim.networks.graph import Hosts
from dcsim.networks.network import Network
from dcsim.policies.routings.spray import Spray
from dcsim.policies.routings.static import Static
from dcsim.sim.fabric.fabric import Fabric
from dcsim.topologies.edge_list import EdgeList
from dcsim.topologies.fat_tree import FatTree
from dcsim.topologies.leaf_spine import LeafSpine
from tests.networks.networks import network

SIMGRID = Path(__file__).parent / "simgrid_200_flows.json"


def line(*bytes_per_s: float) -> Network:
    """Nodes in a row, joined by cables of these rates."""
    cables = [
        {"from": f"node{n}", "to": f"node{n + 1}", "bandwidth": f"{rate} B/s"}
        for n, rate in enumerate(bytes_per_s)
    ]
    topology = EdgeList.model_validate({"cables": cables})
    return topology.network(Hosts(len(bytes_per_s) + 1, 1, 1.0, 0.0, 1.0, 0.0))


def fabric_of(net: Network, **options: float) -> tuple[simpy.Environment, Fabric]:
    environment = simpy.Environment()
    return environment, Fabric(environment, net, routing=Static(), **options)  # type: ignore[arg-type]


def end_times(environment: simpy.Environment, fabric: Fabric) -> list[float]:
    environment.run()
    return [float(end) for end in fabric.tables()["transfers"]["finished_at_s"]]


def test_the_parking_lot_ends_as_worked_out_by_hand() -> None:
    """Cables of 10, 5 and 10: the long flow and the middle one get 2.5 each, the outer ones 7.5."""
    environment, fabric = fabric_of(line(10, 5, 10))
    for source, destination in ((0, 3), (0, 1), (1, 2), (2, 3)):
        fabric.transfer([Flow(source, destination, 10.0)], "flow")
    assert end_times(environment, fabric) == pytest.approx([4.0, 4 / 3, 4.0, 4 / 3])


def test_a_flow_that_comes_later_takes_its_share_and_gives_it_back() -> None:
    """10 B/s: alone 1 s, then halves: the second needs 2 s for its 10, the first has 20 - 10 - 10 left."""
    environment, fabric = fabric_of(line(10))
    fabric.transfer([Flow(0, 1, 30.0)], "first")

    def second() -> simpy.events.ProcessGenerator:
        yield environment.timeout(1)
        yield fabric.transfer([Flow(0, 1, 10.0)], "second")

    environment.process(second())
    assert end_times(environment, fabric) == pytest.approx([4.0, 3.0])


def test_flows_wait_for_the_latency_of_their_way_before_they_share() -> None:
    net = LeafSpine(radix=8).network(Hosts(2, 1, 10.0, 0.5, 1.0, 0.0))
    environment, fabric = fabric_of(net)
    fabric.transfer([Flow(0, 1, 10.0)], "flow")
    fabric.transfer([Flow(0, 1, 0.0)], "empty")
    fabric.transfer([Flow(0, 0, 10.0)], "to itself")
    fabric.transfer([], "nothing")
    assert end_times(environment, fabric) == pytest.approx([1.5, 0.5, 0.0, 0.0])


def test_completion_times_are_those_that_simgrid_finds() -> None:
    """200 random flows on 1,024 hosts, 2:1; recorded by benchmarks/fabric.py --record with SimGrid 3.32."""
    tree = FatTree(
        hosts_per_leaf=16, leaves_per_pod=8, spines_per_pod=8, cores_per_spine=8, oversubscription=2
    )
    environment, fabric = fabric_of(tree.network(Hosts(1024, 1, 50e9, 0.0, 1.0, 0.0)))
    rng = np.random.default_rng(1)
    sources = rng.integers(1024, size=200)
    destinations = (sources + 1 + rng.integers(1023, size=200)) % 1024
    for source, destination, size in zip(
        sources, destinations, rng.integers(64_000_000, 1_000_000_000, size=200), strict=True
    ):
        fabric.transfer([Flow(int(source), int(destination), float(size))], "flow")
    expected = json.loads(SIMGRID.read_text(encoding="utf-8"))
    assert end_times(environment, fabric) == pytest.approx(expected, rel=1e-9)


def random_run(seed: int, batching_frac: float = 0.0, num_flows: int = 80) -> tuple[list[float], Fabric]:
    """Flows that start here and there on a fat tree."""
    rng = np.random.default_rng(seed)
    environment, fabric = fabric_of(network("fat_tree"), batching_frac=batching_frac)

    def start(at_s: float, flow: Flow) -> simpy.events.ProcessGenerator:
        yield environment.timeout(at_s)
        yield fabric.transfer([flow], "flow")

    for at_s, size in zip(np.sort(rng.uniform(0, 20, num_flows)), rng.uniform(1, 10, num_flows), strict=True):
        source, distance = rng.integers(16), rng.integers(1, 16)
        flow = Flow(int(source), int(source + distance) % 16, float(size))
        environment.process(start(float(at_s), flow))
    return end_times(environment, fabric), fabric


@pytest.mark.parametrize("seed", range(4))
def test_to_solve_only_what_a_change_can_reach_is_to_solve_everything(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends, _ = random_run(seed)
    monkeypatch.setattr(
        "dcsim.sim.fabric.active_flows.ActiveFlows._reached", lambda active, *_: active.is_live.copy()
    )
    everything, _ = random_run(seed)
    assert ends == pytest.approx(everything, rel=1e-9)


def test_batching_saves_solutions_for_a_bounded_error() -> None:
    exact, fabric = random_run(1, num_flows=150)
    batched, lazy = random_run(1, batching_frac=0.05, num_flows=150)
    durations = np.array(exact) - fabric.tables()["transfers"]["started_at_s"].astype(float)
    errors = np.abs(np.array(batched) - np.array(exact)) / durations
    assert lazy.num_solutions < fabric.num_solutions
    assert errors.mean() < 0.05


@pytest.mark.parametrize("batching_frac", [0.0, 0.05])
def test_links_carry_what_flows_bring(batching_frac: float) -> None:
    _, fabric = random_run(2, batching_frac)
    tables = fabric.tables()
    sent = tables["transfers"]["num_bytes"].astype(float).sum()
    leaving = [str(name).startswith("node") for name in tables["links"]["source"]]
    arriving = [str(name).startswith("node") for name in tables["links"]["destination"]]
    carried = tables["links"]["num_bytes"].astype(float)
    assert carried[leaving].sum() == pytest.approx(sent)
    assert carried[arriving].sum() == pytest.approx(sent)


def test_bins_add_up_to_the_whole_and_never_exceed_what_a_link_carries() -> None:
    environment, fabric = fabric_of(line(10, 5), bin_s=0.3)
    fabric.transfer([Flow(0, 2, 12.0)], "long")
    fabric.transfer([Flow(0, 1, 12.0)], "short")
    environment.run(until=7)
    tables = fabric.tables()
    loads, links = tables["link_loads"], tables["links"]
    rates = loads["num_bytes"].astype(float) / loads["duration_s"].astype(float)
    assert (rates <= links["bytes_per_s"][loads["link"]].astype(float) * (1 + 1e-9)).all()
    totals = np.bincount(loads["link"].astype(int), loads["num_bytes"], minlength=len(links))
    assert totals == pytest.approx(links["num_bytes"].astype(float))
    assert links["num_bytes"].astype(float).sum() == pytest.approx(12 + 12 + 12)


def test_a_collective_step_of_equal_flows_costs_one_solution() -> None:
    rng = np.random.default_rng(3)
    flows = [Flow(int(s), int(s + 1 + rng.integers(15)) % 16, 8.0) for s in rng.integers(16, size=60)]
    environment, fabric = fabric_of(network("fat_tree"))
    fabric.transfer(flows, "step")
    (together,) = end_times(environment, fabric)
    assert fabric.num_solutions == 1
    environment, fabric = fabric_of(network("fat_tree"))
    for number, flow in enumerate(flows):  # a hair of difference, so that no two are a phase
        fabric.transfer([Flow(flow.source, flow.destination, 8.0 * (1 + 1e-10 * number))], "flow")
    assert max(end_times(environment, fabric)) == pytest.approx(together, rel=1e-6)
    assert fabric.num_solutions > 10


def test_a_flow_that_joins_a_phase_finds_what_its_ended_flows_left() -> None:
    """Flows of 10 over links of 10 and 5: one ends unseen at 1 s; one that comes then has its link alone."""
    environment, fabric = fabric_of(line(10, 10, 5))
    fabric.transfer([Flow(0, 1, 10.0), Flow(2, 3, 10.0)], "phase")

    def late() -> simpy.events.ProcessGenerator:
        yield environment.timeout(1.5)
        yield fabric.transfer([Flow(0, 1, 10.0)], "late")

    environment.process(late())
    assert end_times(environment, fabric) == pytest.approx([2.0, 2.5])


def test_the_same_run_gives_the_same_numbers() -> None:
    assert random_run(5)[0] == random_run(5)[0]


def test_an_occupation_gets_what_it_asks_until_another_shares_its_links() -> None:
    told: list[tuple[float, float]] = []
    environment, fabric = fabric_of(line(10))
    job = fabric.occupy([Flow(0, 1, 0.0, 8.0)], "job", lambda share: told.append((environment.now, share)))
    environment.run(until=1)
    fabric.transfer([Flow(0, 1, 10.0)], "checkpoint")
    environment.run(until=10)
    assert told == [(1, pytest.approx(5 / 8)), (3, pytest.approx(1.0))]
    fabric.release(job)
    fabric.release(job)
    fabric.transfer([Flow(0, 1, 10.0)], "after")
    assert end_times(environment, fabric)[-1] == pytest.approx(11.0)


def test_two_jobs_without_limits_get_half_of_what_each_had_alone() -> None:
    environment, fabric = fabric_of(line(10))
    jobs = [fabric.occupy(ring_flows([0, 1], 1.0), name) for name in ("one", "two")]
    environment.run(until=1)
    assert [job.share_frac for job in jobs] == pytest.approx([0.5, 0.5])


def test_a_sharded_write_is_as_fast_as_the_port_of_the_store() -> None:
    net = network("leaf_spine").with_gateway("lustre", 8.0)
    environment, fabric = fabric_of(net)
    fabric.transfer(gather_flows(range(16), "lustre", 3.0), "checkpoint")
    assert end_times(environment, fabric) == pytest.approx([16 * 3 / 8])


def test_flows_go_round_a_failed_spine_and_return() -> None:
    """Leaf-spine of four uplinks a leaf: without one spine the shift has three quarters of its rate."""
    environment = simpy.Environment()
    fabric = Fabric(environment, network("leaf_spine"), routing=Spray())
    job = fabric.occupy([Flow(n, (n + 4) % 16, 0.0) for n in range(16)], "job")
    cables = fabric.network.cables_of("spine 1")
    environment.run(until=1)
    shares = [job.share_frac]
    for change in (fabric.fail, fabric.repair):
        change(*cables)
        environment.run(until=environment.now + 1)
        shares.append(job.share_frac)
    assert shares == pytest.approx([1.0, 0.75, 1.0])


def test_a_flow_without_a_way_stalls_until_the_repair() -> None:
    environment, fabric = fabric_of(line(10))
    done = fabric.transfer([Flow(0, 1, 40.0)], "flow")
    environment.run(until=1)
    fabric.fail(0)
    environment.run(until=6)
    assert not done.triggered
    fabric.repair(0)
    assert end_times(environment, fabric) == pytest.approx([9.0])
    assert float(fabric.tables()["transfers"]["stalled_s"][0]) == pytest.approx(5.0)


def test_a_lost_way_never_hangs_the_simulation() -> None:
    environment, fabric = fabric_of(line(10))
    fabric.fail(0)
    fabric.transfer([Flow(0, 1, 40.0)], "flow")
    job = fabric.occupy([Flow(0, 1, 0.0)], "job")
    environment.run()  # nothing is left to happen: this returns
    assert job.share_frac == 0.0
    assert math.isnan(end_times(environment, fabric)[0])


def test_a_way_that_fails_during_the_latency_is_not_taken() -> None:
    net = network("leaf_spine")
    environment = simpy.Environment()
    fabric = Fabric(environment, LeafSpine(radix=8).network(Hosts(8, 1, 1.0, 1.0, 1.0, 0.0)), routing=Spray())
    fabric.transfer([Flow(0, 7, 1.0)], "flow")
    environment.run(until=0.5)
    fabric.fail(*fabric.network.cables_of("spine 0"))
    assert end_times(environment, fabric) == pytest.approx([2.0])
    carried = fabric.tables()["links"]
    over = [
        float(b)
        for name, b in zip(carried["destination"], carried["num_bytes"], strict=True)
        if name == "spine 0"
    ]
    assert sum(over) == 0.0
    assert net.num_hosts == 16


def test_incast_costs_only_ports_at_which_too_many_flows_end() -> None:
    net = network("leaf_spine")
    for max_fan_in, expected in ((4, 8.0), (3, 10.0)):
        environment, fabric = fabric_of(net, incast=IncastPenalty(max_fan_in, 0.2))  # type: ignore[arg-type]
        fabric.transfer([Flow(n, 0, 4.0) for n in (1, 2, 3, 4)], "incast")
        assert end_times(environment, fabric) == pytest.approx([expected])


def test_a_job_of_thousands_of_nodes_is_one_row() -> None:
    net = LeafSpine().network(Hosts(1024, 8, 1.0, 0.0, 1.0, 0.0))
    environment = simpy.Environment()
    fabric = Fabric(environment, net)
    jobs = [fabric.occupy(ring_flows(range(1024), 1.0), name) for name in ("one", "two")]
    environment.run(until=1)
    assert [job.share_frac for job in jobs] == pytest.approx([0.5, 0.5])


def test_a_cable_that_is_not_there_cannot_fail() -> None:
    _, fabric = fabric_of(line(10))
    with pytest.raises(KeyError):
        fabric.fail(1)
