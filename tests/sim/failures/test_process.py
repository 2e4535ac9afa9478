"""Failures on the clock against theory: counts, laws of lives, repair, correlation, prediction."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from dcsim.errors import InfeasibleError, ScenarioError
from dcsim.formulas.reliability import down_probabilities
from dcsim.sim.failures import process as process_module
from dcsim.sim.failures.failure import Effect
from dcsim.sim.failures.spares import SparePool
from tests.sim.failures.clusters import Listener, failing, only
from tests.truth.intervals import assert_mean_is

DAY_S = 86_400.0
SOON = "1 ms"  # repairs that leave no time for a second failure


@pytest.mark.parametrize(
    "times", ["exponential", {"policy": "weibull", "shape": 0.7}, {"policy": "lognormal", "cv": 1.5}]
)
@pytest.mark.parametrize("component", ["accelerator", "node"])
def test_aged_units_fail_at_their_long_run_rate_from_the_start(component: str, times: object) -> None:
    """Expected failures in any time are units x time / mean, whatever the law of lives."""
    num_units = 800 if component == "accelerator" else 100
    section = {"preset": only(component=component, mtbf="50 d", times=times), "node_mttr": SOON}
    counts = []
    for seed in range(8):
        environment, process = failing(100, seed, **section)
        process.start()
        environment.run(until=25 * DAY_S)
        counts.append(float(len(process.log)))
    assert_mean_is(num_units * 25 / 50, counts, tightness=0.5)


def test_new_units_of_falling_hazard_fail_more_at_first() -> None:
    law = {"policy": "weibull", "shape": 0.5}
    counts = []
    for is_aged in (True, False):
        preset = only(component="accelerator", mtbf="50 d", times={**law, "aged": is_aged})
        environment, process = failing(100, preset=preset, node_mttr=SOON)
        process.start()
        environment.run(until=2 * DAY_S)
        counts.append(len(process.log))
    assert counts[1] > 3 * counts[0]


def test_gaps_between_the_failures_of_many_memoryless_units_are_exponential() -> None:
    environment, process = failing(64, preset="llama3-h100", node_mttr=SOON)
    process.add_job(Listener())
    process.start()
    environment.run(until=3_000 * DAY_S)
    gaps_s = np.diff(process.log.table()["failed_at_s"])
    assert np.std(gaps_s) / np.mean(gaps_s) == pytest.approx(1.0, abs=0.1)
    median = np.median(gaps_s) / np.mean(gaps_s)
    assert median == pytest.approx(math.log(2), abs=0.05)


def test_causes_come_in_the_proportion_of_their_counts() -> None:
    environment, process = failing(2048, preset="llama3-h100", node_mttr=SOON)
    process.add_job(Listener())
    process.start()
    environment.run(until=540 * DAY_S)
    causes = process.log.table()["cause"]
    assert len(causes) == pytest.approx(4190, abs=4 * 4190**0.5)
    for cause, expected in (("faulty-gpu", 1480), ("hbm", 720), ("software-bug", 540), ("ssd", 30)):
        assert np.sum(causes == cause) == pytest.approx(expected, abs=4 * expected**0.5)


@pytest.mark.parametrize("num_crews", [1, 3])
def test_nodes_in_repair_are_distributed_as_in_the_machine_repair_model(num_crews: int) -> None:
    mean_down = []
    for seed in range(8):
        environment, process = failing(
            10, seed, node_mtbf="10000 s", node_mttr="1000 s", repair_crews=num_crews
        )
        process.start()
        down = 0.0
        for instant_s in range(1_000, 400_000, 1_000):
            environment.run(until=instant_s)
            down += 10 - len(process.nodes.up(range(10)))
        mean_down.append(down / 399)
    chances = down_probabilities(10, 0, 1e-4, 1000.0, num_crews)
    expected = sum(num * chance for num, chance in enumerate(chances))
    assert_mean_is(expected, mean_down, tightness=0.3)


@pytest.mark.parametrize(
    ("component", "nodes"), [("psu", 1), ("cooling_loop", 4), ("switch", 32), ("site", 70)]
)
def test_what_fails_takes_its_domain_with_it(component: str, nodes: int) -> None:
    environment, process = failing(70, preset=only(component=component, mtbf="1 d"), node_mttr=SOON)
    holder, bystander = Listener(), Listener()
    process.nodes.listen(range(70), holder)
    process.start()
    environment.run(until=5 * DAY_S)
    first = holder.failures[0].nodes
    assert len(first) == min(nodes, 70 - first[0])
    assert list(first) == list(range(first[0], first[0] + len(first)))
    assert first[0] % nodes == 0
    assert not bystander.failures


def test_a_listener_of_several_nodes_is_told_once_and_no_longer_afterwards() -> None:
    environment, process = failing(8, preset=only(component="cooling_loop", mtbf="1 d"), node_mttr="90 d")
    one, other = Listener(), Listener()
    process.nodes.listen(range(0, 6), one)
    process.nodes.listen(range(6, 8), other)
    process.start()
    environment.run(until=60 * DAY_S)
    assert len(one.failures) == 2, "of both racks it held nodes"
    assert len(other.failures) == 1


def test_crashes_hit_jobs_and_leave_nodes_alone() -> None:
    environment, process = failing(4, preset=only(component="software", mtbf="1 d"))
    jobs = [Listener(), Listener()]
    for job in jobs:
        process.add_job(job)
    process.start()
    environment.run(until=200 * DAY_S)
    counts = [len(job.failures) for job in jobs]
    assert sum(counts) == pytest.approx(400, abs=4 * 400**0.5), "each job has its own crashes"
    assert min(counts) > 100
    assert len(process.nodes.up(range(4))) == 4
    process.remove_job(jobs[0])
    environment.run(until=400 * DAY_S)
    assert len(jobs[0].failures) == counts[0]


def test_alarms_have_the_precision_and_recall_that_were_asked_for() -> None:
    foresight = {"precision": 0.25, "recall": 0.6, "lead": "1 h"}
    environment, process = failing(200, node_mtbf="10 d", node_mttr=SOON, predictive_maintenance=foresight)
    process.start()
    environment.run(until=100 * DAY_S)
    effects = process.log.table()["effect"].tolist()
    foreseen, false, missed = (
        effects.count(str(one)) for one in (Effect.FORESEEN, Effect.FALSE_ALARM, Effect.STOP)
    )
    assert foreseen / (foreseen + missed) == pytest.approx(0.6, abs=0.06)
    assert foreseen / (foreseen + false) == pytest.approx(0.25, abs=0.03)


def test_a_foreseen_failure_happens_where_nobody_lets_go_of_the_node() -> None:
    foresight = {"precision": 1.0, "recall": 1.0, "lead": "1 h"}
    environment, process = failing(1, node_mtbf="10 d", predictive_maintenance=foresight)
    stubborn = Listener()
    process.nodes.listen((0,), stubborn)
    process.start()
    environment.run(until=100 * DAY_S)
    assert stubborn.failures[0].at_s == pytest.approx(float(process.log.table()["failed_at_s"][0]) + 3600.0)


def test_recorded_failures_come_when_and_where_they_were_recorded(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("node,at_s\n2,10\n0,20.5\n", encoding="utf-8")
    preset = only(component="node", times={"policy": "trace", "path": str(path)})
    environment, process = failing(3, preset=preset)
    process.start()
    environment.run(until=DAY_S)
    table = process.log.table()
    assert table["failed_at_s"].tolist() == [10.0, 20.5]
    assert table["node"].tolist() == [2, 0]
    with pytest.raises(ScenarioError, match="node that the cluster does not have"):
        failing(2, preset=preset)


def test_nodes_lose_what_they_hold_when_they_fail_and_not_when_they_are_maintained(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("node,at_s\n2,10\n0,20.5\n", encoding="utf-8")
    preset = only(component="node", times={"policy": "trace", "path": str(path)})
    lost: list[tuple[float, int]] = []
    environment, process = failing(3, preset=preset, maintenance=[{"every": "10 h", "duration": "1 h"}])
    process.on_loss = lambda node: lost.append((float(environment.now), node))
    process.start()
    environment.run(until=DAY_S)
    assert lost == [(10.0, 2), (20.5, 0)]
    assert "maintenance" in process.log.table()["effect"].tolist()


def test_slow_nodes_are_as_many_as_asked_and_found_after_a_while() -> None:
    section = {"slow_nodes": {"share": 0.1, "slowdown": 0.2}, "slow_detection": "1 d"}
    environment, process = failing(1000, **section)
    process.start()
    num_slow = sum(process.nodes.slow_factor(node) == 1.2 for node in range(1000))
    assert num_slow == pytest.approx(100, abs=4 * 90**0.5)
    environment.run(until=DAY_S)
    found = process.log.table()["effect"].tolist().count(str(Effect.SLOW_FOUND))
    assert found / num_slow == pytest.approx(1 - math.exp(-1), abs=0.15)


def test_spares_replace_failed_nodes_and_repaired_ones_come_back() -> None:
    environment, process = failing(6, node_mtbf="1 d", node_mttr="1 h")
    pool = SparePool(process, range(6), num_reserved=2)
    holder = Listener()
    request = pool.request(holder, 5, is_replacement=False)
    assert not request.is_met, "two nodes are kept for replacements"
    pool.cancel(request)
    assert pool.request(holder, 4, is_replacement=False).is_met
    process.start()
    while not holder.failures:
        environment.step()
    assert pool.request(holder, 1, is_replacement=True).is_met
    environment.run(until=environment.now + DAY_S)
    assert len(set(holder.nodes)) == 5


def test_failures_without_end_end_the_run_with_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_module, "MAX_FAILURES", 1000)
    environment, process = failing(100, node_mtbf="1 ms", node_mttr="1 us")
    process.start()
    with pytest.raises(InfeasibleError, match="more than 1,000 failures"):
        environment.run(until=DAY_S)
