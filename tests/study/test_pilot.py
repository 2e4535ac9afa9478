import pickle
from pathlib import Path

import numpy as np
import pytest

from dcsim.sim.simulation import simulate
from dcsim.spec.scenario import Scenario
from dcsim.study.pilot import MAX_PILOT_REQUESTS, pilot_of
from dcsim.study.run import run
from dcsim.tables import RunTables
from tests.metrics.by_hand import requests, serving_tables, steps
from tests.study.scenarios_for_tests import tiny


def tables(arrived_at_s, stay_s: float = 1.0):
    rows = requests(*({"arrived_at_s": 0.0} for _ in arrived_at_s))
    rows.columns["arrived_at_s"][:] = arrived_at_s
    rows.columns["finished_at_s"][:] = np.asarray(arrived_at_s) + stay_s
    return RunTables(
        {"chat": serving_tables(rows, steps({"started_at_s": 0.0, "duration_s": 1.0, "num_decodes": 1}))}
    )


def replayed(pilot: Scenario):
    return pilot.serving["chat"].traffic.trace.format.recorded


def test_a_short_scenario_is_its_own_pilot():
    scenario = tiny()
    assert pilot_of(scenario, simulate(scenario, 0)) is scenario


def test_a_pilot_reads_no_file(tmp_path: Path):
    rows = [f"{number / 10},100,20" for number in range(50)]
    (tmp_path / "t.csv").write_text("\n".join(["arrived_at_s,num_prompt_tokens,num_output_tokens", *rows]))
    scenario = tiny(serving__chat__traffic={"trace": str(tmp_path / "t.csv")})
    whole = simulate(scenario, 0)
    pilot = pilot_of(scenario, whole)
    (tmp_path / "t.csv").unlink()
    again = simulate(pilot, 0)["chat"].requests
    np.testing.assert_array_equal(again["finished_at_s"], whole["chat"].requests["finished_at_s"])


def test_a_pilot_offers_two_thousand_requests_at_the_rate_of_the_whole():
    scenario = tiny(
        duration="1000 s", serving__chat__traffic__arrivals={"policy": "constant", "rate": "10 /s"}
    )
    pilot = pilot_of(scenario, tables(np.arange(0.0, 1000.0, 0.1)))
    trace = replayed(pilot)
    assert pilot.duration_s == pytest.approx(200.0)
    assert len(trace.arrived_at_s) == pytest.approx(MAX_PILOT_REQUESTS, abs=10)
    assert np.all(np.diff(trace.arrived_at_s) >= 0.0)
    assert pilot.warmup_s == pytest.approx(3.0)


def test_every_phase_of_the_traffic_is_in_the_pilot():
    quiet, busy = np.arange(0.0, 500.0, 0.5), np.arange(500.0, 1000.0, 0.05)
    stages = [{"rate": "2 /s", "duration": "500 s"}, {"rate": "20 /s", "duration": "500 s"}]
    arrivals = {"policy": "rate_stages", "stages": stages}
    scenario = tiny(duration="1000 s", serving__chat__traffic__arrivals=arrivals)
    pilot = pilot_of(scenario, tables(np.concatenate([quiet, busy])))
    middle = pilot.duration_s / 2
    early = np.count_nonzero(replayed(pilot).arrived_at_s < middle)
    assert early / middle == pytest.approx(2.0, rel=0.1)
    assert (len(replayed(pilot).arrived_at_s) - early) / middle == pytest.approx(20.0, rel=0.1)


def test_a_closed_loop_runs_as_long_as_two_thousand_requests_take():
    arrivals = {"policy": "closed_loop", "concurrency": 8}
    scenario = tiny(duration="1000 s", serving__chat__traffic__arrivals=arrivals)
    pilot = pilot_of(scenario, tables(np.arange(0.0, 1000.0, 0.1)))
    assert pilot.duration_s == pytest.approx(200.0)
    assert pilot.serving["chat"].traffic == scenario.serving["chat"].traffic


def test_of_a_burst_the_first_requests_are_taken():
    arrivals = {"policy": "burst", "num_requests": 5000}
    scenario = tiny(serving__chat__traffic__arrivals=arrivals)
    trace = replayed(pilot_of(scenario, tables(np.zeros(5000))))
    assert len(trace.arrived_at_s) == MAX_PILOT_REQUESTS
    assert not trace.arrived_at_s.any()


def test_a_pilot_can_be_simulated():
    scenario = tiny(duration="600 s")
    pilot = pilot_of(scenario, simulate(scenario, 0))
    found = simulate(pilot, 0)["chat"].requests
    assert len(found) == len(replayed(pilot).arrived_at_s)
    assert len(found) == pytest.approx(MAX_PILOT_REQUESTS, rel=0.1)


def test_a_large_fleet_is_cut_down_to_some_of_its_nodes():
    scenario = tiny(duration="1000 s", cluster__num_nodes=8, serving__chat__num_replicas=64)
    whole = np.arange(0.0, 1000.0, 0.01)
    pilot = pilot_of(scenario, tables(whole, stay_s=20.0))  # 2,000 at a time: no pilot would fill up
    rate_per_s = len(replayed(pilot).arrived_at_s) / pilot.duration_s
    assert (pilot.cluster.num_nodes, pilot.serving["chat"].num_replicas) == (1, 8)
    assert rate_per_s == pytest.approx(100.0 / 8, rel=0.1)
    assert len(replayed(pilot).arrived_at_s) == pytest.approx(MAX_PILOT_REQUESTS, rel=0.1)
    assert pilot.warmup_s == pytest.approx(60.0)


def test_a_fleet_beside_other_work_keeps_all_nodes():
    jobs = {"arrivals": {"policy": "poisson", "rate": "1 /h", "duration_mean": "1 min"}}
    scenario = tiny(duration="1000 s", cluster__num_nodes=8, serving__chat__num_replicas=56, jobs=jobs)
    pilot = pilot_of(scenario, tables(np.arange(0.0, 1000.0, 0.01), stay_s=20.0))
    assert (pilot.cluster.num_nodes, pilot.serving["chat"].num_replicas) == (8, 56)


def test_a_fleet_that_does_not_divide_by_nodes_stays_whole():
    scenario = tiny(duration="1000 s", cluster__num_nodes=3, serving__chat__num_replicas=16)
    pilot = pilot_of(scenario, tables(np.arange(0.0, 1000.0, 0.01), stay_s=20.0))
    assert (pilot.cluster.num_nodes, pilot.serving["chat"].num_replicas) == (3, 16)


def test_the_clients_of_a_large_closed_loop_are_cut_down_too():
    arrivals = {"policy": "closed_loop", "concurrency": 2000}
    given = {"cluster__num_nodes": 8, "serving__chat__num_replicas": 64}
    scenario = tiny(duration="1000 s", serving__chat__traffic__arrivals=arrivals, **given)
    pilot = pilot_of(scenario, tables(np.arange(0.0, 1000.0, 0.01), stay_s=20.0))
    assert pilot.serving["chat"].traffic.arrivals.num_clients == 250


def test_a_pilot_crosses_a_process_boundary():
    scenario = tiny(duration="1000 s")
    pilot = pilot_of(scenario, tables(np.arange(0.0, 1000.0, 0.1)))
    again = pickle.loads(pickle.dumps(pilot))
    np.testing.assert_array_equal(replayed(again).arrived_at_s, replayed(pilot).arrived_at_s)
    assert again.folder == pilot.folder


def test_a_pilot_lends_nothing_unless_it_is_the_whole():
    jobs = {"arrivals": {"policy": "poisson", "rate": "1 /s", "duration_mean": "5 s"}}
    lending = {"idle": [{"start": "400 s", "duration": "100 s", "replicas": 1}]}
    scenario = tiny(
        duration="1000 s", jobs=jobs, serving__chat__lending=lending, serving__chat__num_replicas=2
    )
    pilot = pilot_of(scenario, tables(np.arange(0.0, 1000.0, 0.1)))
    assert pilot.jobs is None
    assert pilot.serving["chat"].lending is None
    assert pilot_of(scenario, tables(np.arange(0.0, 100.0, 0.1))) is scenario
    larger = scenario.replace({"cluster.num_nodes": 2})
    assert pilot_of(larger, tables(np.arange(0.0, 1000.0, 0.1))).jobs is not None


def test_what_pilots_leave_out_is_noted():
    jobs = {"arrivals": {"policy": "poisson", "rate": "1 /s", "duration_mean": "5 s"}}
    lending = {"idle": [{"start": "100 s", "duration": "100 s", "replicas": 1}]}
    arrivals = {"policy": "constant", "rate": "10 /s"}
    scenario = tiny(
        duration="220 s",
        calibration_draws=2,
        jobs=jobs,
        serving__chat__lending=lending,
        serving__chat__num_replicas=2,
        serving__chat__traffic__arrivals=arrivals,
    )
    notes = run(scenario, num_processes=1).summary["prediction"]["notes"]
    assert any("chat: its loans of nodes are longer than the short pilots" in note for note in notes)
    assert any("jobs: their run times are those that the scenario gives" in note for note in notes)
