"""What a training job does, second by second, in cases that a hand can follow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import simpy

from dcsim.sim.training.checkpointing import SaveTimes
from dcsim.tables.training import TrainingStatus
from tests.sim.training.clusters import (
    FixedSteps,
    World,
    crashing,
    crashing_at,
    failing_at,
    reliability,
    spans,
    total_s,
)

SOON = {"node_mttr": "1 s"}  # mean of the repairs; the tests with spares do not wait for them


def test_without_failures_a_job_takes_its_steps_and_one_stall_for_each_checkpoint() -> None:
    world = World(reliability(), num_steps=250, steps_per_save=100, times=SaveTimes(5.0))
    table = world.run(1000.0)
    assert spans(table) == [("productive", 0.0, 250.0 + 3 * 5.0)]
    assert table["num_checkpoints"].sum() == 3
    assert world.job.status is TrainingStatus.FINISHED
    assert world.job.finished_at_s == 265.0


def test_a_failure_undoes_the_steps_since_the_last_checkpoint_and_the_part_of_a_step(tmp_path: Path) -> None:
    world = World(failing_at(tmp_path, 230.5), steps_per_save=100, times=SaveTimes(5.0), num_spares=1)
    table = world.run(300.0)
    assert spans(table) == [("productive", 0.0, 210.0), ("lost", 210.0, 230.5), ("productive", 230.5, 300.0)]
    assert table["num_steps"].tolist() == pytest.approx([200.0, 20.5, 69.5])
    assert table["cause"].tolist() == ["", "hardware", ""]


def test_every_part_of_a_recovery_is_a_span_in_order(tmp_path: Path) -> None:
    times = {
        "detection": "10 s",
        "diagnosis": "20 s",
        "swap": "3 s",
        "initialization": "7 s",
        "warmup": "2 s",
    }
    world = World(failing_at(tmp_path, 109.0, **times), times=SaveTimes(0.0, restore_s=4.0), num_spares=1)
    assert spans(world.run(200.0)) == [
        ("initialize", 0.0, 7.0),
        ("warmup", 7.0, 9.0),
        ("productive", 9.0, 109.0),  # the checkpoint at step 100 takes no time: nothing is lost
        ("detect", 109.0, 119.0),
        ("diagnose", 119.0, 139.0),
        ("swap", 139.0, 142.0),
        ("initialize", 142.0, 149.0),
        ("restore", 149.0, 153.0),
        ("warmup", 153.0, 155.0),
        ("productive", 155.0, 200.0),
    ]


def test_a_failure_in_a_recovery_starts_it_anew(tmp_path: Path) -> None:
    section = failing_at(tmp_path, 100.0, 130.0, initialization="50 s")
    table = World(section, num_spares=2, steps_per_save=10, times=SaveTimes(0.0)).run(300.0)
    assert spans(table)[1:] == [
        ("productive", 50.0, 100.0),
        ("initialize", 100.0, 150.0),
        ("productive", 150.0, 300.0),
    ], "node 0 fails once; the second failure finds it in repair"
    section = crashing_at(tmp_path, 100.0, 130.0, initialization="50 s")
    table = World(section, steps_per_save=10, times=SaveTimes(0.0)).run(300.0)
    assert spans(table)[1:] == [
        ("productive", 50.0, 100.0),
        ("initialize", 100.0, 130.0),
        ("initialize", 130.0, 180.0),
        ("productive", 180.0, 300.0),
    ]


def test_without_a_spare_the_job_waits_for_the_repair(tmp_path: Path) -> None:
    world = World(failing_at(tmp_path, 150.0, node_mttr="40 s"), times=SaveTimes(0.0))
    table = world.run(10_000.0)
    (wait,) = [span for span in spans(table) if span[0] == "wait"]
    assert wait[1] == 150.0
    failures = world.failures.log.table()
    assert failures["repaired_at_s"].tolist() == [wait[2]]


@pytest.mark.parametrize("is_one_by_one", [False, True])
def test_a_failure_before_the_drain_has_ended_falls_back_one_more_checkpoint(
    tmp_path: Path, is_one_by_one: bool
) -> None:
    times = SaveTimes(stall_s=5.0, drain_s=30.0)  # stalls end at 105 and 210, drains at 135 and 240
    for failed_at_s, durable_until_s in ((239.0, 105.0), (241.0, 210.0)):
        world = World(
            failing_at(tmp_path, failed_at_s), times=times, num_spares=1, is_one_by_one=is_one_by_one
        )
        table = world.run(failed_at_s + 1.0)
        lost = [span for span in spans(table) if span[0] == "lost"]
        assert (lost[0][1], lost[-1][2]) == (durable_until_s, failed_at_s)


def test_a_drain_longer_than_the_interval_makes_the_next_checkpoint_wait() -> None:
    world = World(reliability(), num_steps=300, steps_per_save=100, times=SaveTimes(5.0, drain_s=160.0))
    world.run(10_000.0)
    # 100 | 5 | 100, the drain ends at 265 | 5 | 100, and the second one ends at 430 | 5
    assert world.job.finished_at_s == pytest.approx(435.0)


def test_a_job_without_checkpoints_starts_from_nothing(tmp_path: Path) -> None:
    world = World(failing_at(tmp_path, 150.0), steps_per_save=None, num_spares=1, num_steps=200)
    assert spans(world.run(1000.0)) == [("lost", 0.0, 150.0), ("productive", 150.0, 350.0)]


def test_a_slow_node_stretches_every_step_until_it_is_found_and_replaced(tmp_path: Path) -> None:
    path = tmp_path / "slow.csv"
    path.write_text("at_s,node\n100,0\n", encoding="utf-8")
    cause = {"component": "node", "slowdown": 0.5, "times": {"policy": "trace", "path": str(path)}}
    section = reliability(preset={"base": "none", "causes": {"lemon": cause}}, slow_detection="60 s")
    world = World(section, steps_per_save=1000, num_spares=1, times=SaveTimes(2.0))
    table = world.run(1000.0)
    found_at_s = float(world.failures.log.table()["failed_at_s"][1])
    assert total_s(table, "lost") == 0.0, "the work is saved before the node is given up"
    slow_s = float(table["slow_s"].sum())
    assert slow_s == pytest.approx((found_at_s - 100.0) / 3)  # steps of 1.5 s, a third of it the node's
    assert world.job.num_planned_stops == 1
    assert world.job.gang.nodes == (1,)


@pytest.mark.parametrize(("slowdown", "status"), [(0.5, "unfinished"), (1000.0, "stalled")])
def test_a_job_that_never_does_a_step_is_stalled_without_any_failure(
    tmp_path: Path, slowdown: float, status: str
) -> None:
    path = tmp_path / "slow.csv"
    path.write_text("at_s,node\n0,0\n", encoding="utf-8")
    cause = {"component": "node", "slowdown": slowdown, "times": {"policy": "trace", "path": str(path)}}
    world = World(reliability(preset={"base": "none", "causes": {"lemon": cause}}))
    world.run(100.0)  # a step takes 1 s x (1 + slowdown)
    assert str(world.job.status) == status
    assert bool(world.job.stalled_by) == (status == "stalled")


def test_a_job_that_had_no_time_for_a_step_is_not_stalled() -> None:
    world = World(reliability())
    world.run(0.5)
    assert world.job.status is TrainingStatus.UNFINISHED


def test_an_elastic_job_goes_on_with_the_replicas_that_are_left_and_grows_again(tmp_path: Path) -> None:
    steps = FixedSteps(num_nodes=4, num_data_parallel=4)
    section = failing_at(tmp_path, 100.0, elastic_shrink=True, node_mttr="50 s")
    world = World(section, steps, times=SaveTimes(0.0))
    table = world.run(3_000.0)
    back_at_s = float(world.failures.log.table()["repaired_at_s"][0])
    assert total_s(table, "wait") == 0.0
    shrink_s = float(table["shrink_s"].sum())
    assert shrink_s == pytest.approx((back_at_s - 100.0) / 4)  # a step takes 4/3 s on three of four replicas
    assert len(world.job.gang) == 4
    assert world.job.num_planned_stops == 1


def test_what_a_shrunk_job_loses_until_it_is_diagnosed_is_what_it_held(tmp_path: Path) -> None:
    path = tmp_path / "failures.csv"
    path.write_text("at_s,node\n100,0\n300,1\n", encoding="utf-8")
    cause = {"component": "node", "times": {"policy": "trace", "path": str(path)}}
    times = {"detection": "20 s", "diagnosis": "10 s", "elastic_shrink": True, "node_mttr": "1000 h"}
    section = reliability(preset={"base": "none", "causes": {"hardware": cause}}, **times)
    table = World(section, FixedSteps(num_nodes=4, num_data_parallel=4), times=SaveTimes(0.0)).run(500.0)
    per_node = FixedSteps(num_nodes=4).num_accelerators // 4
    for kind in ("detect", "diagnose"):
        held = table["num_accelerators"][table["kind"] == kind]
        assert held.tolist() == [4 * per_node, 3 * per_node], "nobody knows yet which one is gone"


def test_maintenance_stops_a_job_with_its_work_saved_and_for_as_long_as_it_lasts() -> None:
    section = reliability(maintenance=[{"every": "1000 s", "duration": "50 s"}])
    world = World(section, steps_per_save=300, times=SaveTimes(2.0))
    table = world.run(1_500.0)
    assert total_s(table, "lost") == 0.0
    assert total_s(table, "wait") == pytest.approx(50.0)
    assert table["cause"][table["kind"] == "wait"].tolist() == ["maintenance"]


def test_a_foreseen_failure_costs_a_planned_stop_and_no_work(tmp_path: Path) -> None:
    foresight = {"precision": 1.0, "recall": 1.0, "lead": "100 s"}
    section = failing_at(tmp_path, 150.0, predictive_maintenance=foresight, initialization="10 s")
    world = World(section, num_spares=1, times=SaveTimes(2.0))
    table = world.run(400.0)
    assert total_s(table, "lost") == 0.0
    assert world.job.num_failures == 0
    assert world.failures.log.table()["effect"].tolist() == ["foreseen"]


class OneNetwork:
    """A fabric of which the test sets the share."""

    def __init__(self) -> None:
        self.share_frac = 1.0
        self.told: Callable[[float], None] | None = None
        self.num_released = 0
        self.followed_s: list[float] = []

    def occupy(self, nodes: Sequence[int], on_change: Callable[[float], None]) -> OneNetwork:
        self.told = on_change
        return self

    def release(self) -> None:
        self.num_released += 1

    def follow(self, step_s: float) -> None:
        self.followed_s.append(step_s)

    def set(self, share_frac: float) -> None:
        self.share_frac = share_frac
        assert self.told is not None
        self.told(share_frac)


class OneStore(OneNetwork):
    """A store of samples of which the test sets the share, and that notes the pace of steps."""

    def __init__(self) -> None:
        super().__init__()
        self.paces_s: list[float] = []
        self.num_pauses, self.num_steps = 0, 0.0

    def occupy(self, nodes: Sequence[int], on_change: Callable[[float], None]) -> OneStore:
        super().occupy(nodes, on_change)
        return self

    @property
    def bytes_per_s(self) -> float | None:
        return self.share_frac  # one byte for each step of a second

    steps_to_change = next_shuffle = float("inf")

    def stage(self, nodes: Sequence[int]) -> None:
        return None

    def shuffle(self, nodes: Sequence[int]) -> simpy.Event:
        raise NotImplementedError

    def count(self, num_steps: float) -> None:
        self.num_steps += num_steps

    def follow(self, step_s: float) -> None:
        self.paces_s.append(step_s)

    def pause(self) -> None:
        self.num_pauses += 1


def test_a_neighbours_traffic_stretches_the_exposed_part_of_each_step_while_it_lasts() -> None:
    network = OneNetwork()
    world = World(reliability(), FixedSteps(exposed_frac=0.2), 1000, network=network, times=SaveTimes(0.0))
    for at_s, share_frac in ((100.3, 0.5), (400.3, 1.0)):
        event = world.environment.timeout(at_s, share_frac)
        event.callbacks.append(lambda event: network.set(event.value))
    table = world.run(2_000.0)
    assert table["contention_s"].sum() == pytest.approx(300.0 * 0.2 / 1.2)
    assert world.job.finished_at_s == pytest.approx(1000.0 + 300.0 * 0.2 / 1.2)
    assert network.num_released == 1


@pytest.mark.parametrize("is_one_by_one", [False, True])
def test_a_job_that_is_cut_off_stands_still_until_the_way_is_free_again(is_one_by_one: bool) -> None:
    network = OneNetwork()
    world = World(
        reliability(), FixedSteps(exposed_frac=0.2), 1000, 100, SaveTimes(4.0), is_one_by_one, network=network
    )
    for at_s, share_frac in ((101.0, 0.0), (401.0, 1.0)):  # in the middle of the first checkpoint
        event = world.environment.timeout(at_s, share_frac)
        event.callbacks.append(lambda event: network.set(event.value))
    table = world.run(5_000.0)
    assert world.job.finished_at_s == pytest.approx(1000.0 + 10 * 4.0 + 297.0)
    assert table["contention_s"].sum() == pytest.approx(297.0)
    assert table["checkpoint_s"].sum() == pytest.approx(40.0)


def test_late_samples_stretch_the_steps_and_none_at_all_stop_them() -> None:
    samples = OneStore()
    world = World(reliability(), num_steps=1000, times=SaveTimes(0.0), samples=samples)
    for at_s, share_frac in ((100.0, 0.5), (300.0, 0.0), (350.0, 1.0)):
        event = world.environment.timeout(at_s, share_frac)
        event.callbacks.append(lambda event: samples.set(event.value))
    table = world.run(5_000.0)
    assert table["input_s"].sum() == pytest.approx(100.0 + 50.0)
    assert world.job.finished_at_s == pytest.approx(1150.0)


def test_samples_are_read_at_the_pace_that_the_fabric_leaves_and_not_while_a_checkpoint_is_saved() -> None:
    network, samples = OneNetwork(), OneStore()
    world = World(
        reliability(),
        FixedSteps(exposed_frac=0.2),
        200,
        is_one_by_one=True,
        network=network,
        samples=samples,
    )
    world.environment.timeout(50.0).callbacks.append(lambda _: network.set(0.5))
    world.run(1_000.0)
    assert samples.paces_s == pytest.approx([1.0, 1.2, 1.2])
    assert samples.num_pauses == 2
    assert samples.num_steps == 200.0
    assert network.followed_s == pytest.approx([1.0, 1.2, 1.2])


def test_the_power_of_a_span_is_that_of_its_steps_and_stalls() -> None:
    table = World(reliability(), num_steps=100, steps_per_save=100, times=SaveTimes(25.0)).run(1_000.0)
    assert table["accelerator_rise_w"].tolist() == [pytest.approx(100.0 * 100 / 125)]


def test_a_job_larger_than_what_is_left_waits_and_says_so() -> None:
    world = World(crashing(1e9))
    world.pool.take(world.job.gang, 0)
    world.failures.nodes.take_down(0)
    world.pool._remove((0,))
    table = world.run(500.0)
    assert spans(table) == [("queue", 0.0, 500.0)]
    assert world.job.status is TrainingStatus.UNFINISHED
