"""The figures of a training job: parts that add up to its time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from dcsim.metrics.training import training_figures
from dcsim.metrics.window import Window
from dcsim.sim.training.checkpointing import SaveTimes
from dcsim.sim.training.job_table import training_job_table
from dcsim.tables import Table
from tests.sim.training.clusters import FixedSteps, World, failing_at, reliability


@dataclass(frozen=True)
class Step:
    total_s: float = 1.0
    mfu_frac: float = 0.4
    hfu_frac: float = 0.5


@dataclass(frozen=True)
class Job:
    name: str = "job"
    tokens_per_step: int = 1000

    def step(self) -> Step:
        return Step()


def run(world: World, until_s: float) -> dict[str, Table]:
    spans = world.run(until_s)
    return {"training_spans": spans, "training_jobs": training_job_table([world.job])}


def test_the_figures_of_a_failure_by_hand(tmp_path: Path) -> None:
    section = failing_at(tmp_path, 230.0, detection="20 s", initialization="10 s")
    tables = run(World(section, times=SaveTimes(5.0), num_spares=1), 500.0)
    figures = training_figures(Job(), tables, Window(0.0, 500.0))
    # start 10 | 100 | 5 | 100 | 5 | 10 lost | detect 20 | start 10 | 100 | 5 | 100 | 5 | 30
    assert figures["num_steps"] == pytest.approx(430.0)
    assert figures["productive_frac"] == pytest.approx(430.0 / 500.0)
    assert figures["tokens_per_s"] == pytest.approx(430_000 / 500.0)
    lost_s = figures["lost_s"]
    assert isinstance(lost_s, dict)
    assert {name: value for name, value in lost_s.items() if value} == pytest.approx(
        {"checkpoint": 20.0, "lost_work": 10.0, "detect": 20.0, "initialize": 20.0}
    )
    assert figures["lost_accelerator_h"] == {"hardware": pytest.approx(8 * (10 + 20 + 10) / 3600)}
    assert (figures["num_failures"], figures["is_finished"], figures["completion_s"]) == (1, False, None)


def test_the_parts_add_up_to_the_wall_time_whatever_happens() -> None:
    section = reliability(
        node_mtbf="4000 s",
        node_mttr="500 s",
        detection="10 s",
        swap="5 s",
        initialization="30 s",
        warmup="5 s",
        slow_nodes={"share": 0.4, "slowdown": 0.3},
        slow_detection="2000 s",
        elastic_shrink=True,
        maintenance=[{"every": "3000 s", "duration": "100 s"}],
    )
    steps = FixedSteps(num_nodes=4, num_data_parallel=4)
    tables = run(World(section, steps, times=SaveTimes(3.0, 20.0, 8.0), num_spares=1), 30_000.0)
    for window in (Window(0.0, 30_000.0), Window(7_123.0, 19_876.5)):
        figures = training_figures(Job(), tables, window)
        lost_s = figures["lost_s"]
        assert isinstance(lost_s, dict)
        assert np.all(np.array(list(lost_s.values())) >= 0)
        total_s = figures["productive_s"] + sum(lost_s.values())  # type: ignore[operator, arg-type]
        assert total_s == pytest.approx(window.duration_s)
        assert figures["wall_s"] == pytest.approx(window.duration_s)


def test_slow_steps_lower_the_mfu_of_steps_and_losses_that_of_the_whole_time() -> None:
    section = reliability(slow_nodes={"share": 1.0, "slowdown": 0.25}, initialization="100 s")
    tables = run(World(section, times=SaveTimes(0.0)), 1100.0)
    figures = training_figures(Job(), tables, Window(0.0, 1100.0))
    assert figures["step_time_s"] == pytest.approx(1.25)
    assert figures["mfu_frac"] == pytest.approx(0.4 / 1.25)
    assert figures["productive_frac"] == pytest.approx(1000 / 1100)
    assert figures["effective_training_frac"] == pytest.approx(800 / 1100)


def test_trials_of_a_sweep_count_together_and_jobs_of_like_names_do_not() -> None:
    tables = run(World(reliability(), num_steps=100, steps_per_save=None), 1000.0)
    spans = tables["training_spans"]
    names = np.array(["sweep.1", "sweep.2", "sweeper"], dtype=object)
    tripled = Table({name: names if name == "job" else np.repeat(spans[name], 3) for name in spans.columns})
    jobs = tables["training_jobs"]
    ends = Table({name: names if name == "job" else np.repeat(jobs[name], 3) for name in jobs.columns})
    both = {"training_spans": tripled, "training_jobs": ends}
    figures = training_figures(Job("sweep"), both, Window(0.0, 1000.0))
    assert figures["num_steps"] == 200.0
    assert figures["completion_s"] == 100.0
