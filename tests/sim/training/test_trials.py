"""The trials of a sweep: as many as were asked for, each started by itself, the next when one has ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import numpy as np
import pytest

from dcsim.errors import InfeasibleError
from dcsim.sim.simulation import simulate
from dcsim.spec.scenario import Scenario
from dcsim.study.run import run
from dcsim.tables import Table
from tests.study.scenarios_for_tests import small_cluster

START_S, NUM_STEPS = 30.0, 50


def sweep(trials: int, concurrent: int, **overrides: object) -> Scenario:
    job = {"model": "resnet-50", "num_nodes": 2, "steps": NUM_STEPS, "batch": {"sequences": 4096}}
    tuning = {**job, "kind": "sweep", "sweep": {"trials": trials, "concurrent": concurrent}}
    alone = {"jobs": None, "duration": None, "reliability": {"initialization": f"{START_S} s"}}
    return small_cluster(training={"tune": tuning}, **alone, **overrides)


def tables_of(scenario: Scenario) -> Mapping[str, Table]:
    return simulate(scenario, 0).cluster


def step_s(tables: Mapping[str, Table]) -> float:
    spans = tables["training_spans"]
    steps = spans["kind"] == "productive"
    return float(spans["duration_s"][steps].sum() / spans["num_steps"][steps].sum())


@pytest.mark.parametrize(("trials", "concurrent"), [(6, 2), (5, 2), (3, 1), (2, 4)])
def test_each_trial_starts_its_processes_and_none_is_run_that_nobody_asked_for(
    trials: int, concurrent: int
) -> None:
    tables = tables_of(sweep(trials, concurrent))
    spans, ends = tables["training_spans"], tables["training_jobs"]
    assert (spans["kind"] == "initialize").sum() == trials
    assert spans["num_steps"].sum() == pytest.approx(trials * NUM_STEPS)
    assert ends["num_steps"].tolist() == [NUM_STEPS] * trials
    num_rounds = -(-trials // concurrent)
    trial_s = START_S + NUM_STEPS * step_s(tables)
    assert ends["finished_at_s"].max() == pytest.approx(num_rounds * trial_s)


def test_no_more_trials_run_at_a_time_than_asked_for_and_spans_follow_one_another() -> None:
    spans = tables_of(sweep(5, 2))["training_spans"]
    started_at_s, ended_at_s = spans["started_at_s"], spans["started_at_s"] + spans["duration_s"]
    names = sorted(set(spans["job"]))
    assert names == ["tune.1", "tune.2"]
    for name in names:
        mine = spans["job"] == name
        order = np.argsort(started_at_s[mine])
        assert started_at_s[mine][order][1:] == pytest.approx(ended_at_s[mine][order][:-1])


def test_the_rate_of_a_sweep_is_that_of_all_its_trials() -> None:
    summary = cast(dict[str, Any], run(sweep(6, 2), num_processes=1).summary)["training"]["tune"]
    num_samples = 6 * NUM_STEPS * 4096
    assert summary["num_steps"] == pytest.approx(6 * NUM_STEPS)
    assert summary["tokens_per_s"] == pytest.approx(num_samples / summary["completion_s"])
    assert summary["wall_s"] == pytest.approx(2 * summary["completion_s"])
    assert summary["lost_s"]["initialize"] == pytest.approx(6 * START_S)


def test_a_failure_undoes_work_of_the_trial_that_it_hits_alone() -> None:
    crashes = {"base": "none", "causes": {"bug": {"component": "software", "mtbf": "3 s"}}}
    at_once = dict.fromkeys(("detection", "diagnosis", "swap", "warmup"), 0)
    often = {"initialization": "0.5 s", "preset": crashes, **at_once}
    tables = tables_of(sweep(6, 2).replace({"reliability": often}))
    ends, spans = tables["training_jobs"], tables["training_spans"]
    assert ends["num_failures"].sum() > 0
    assert ends["num_steps"].tolist() == [NUM_STEPS] * 6
    assert spans["num_steps"][spans["kind"] == "productive"].sum() == pytest.approx(6 * NUM_STEPS)
    assert (spans["num_steps"] <= NUM_STEPS).all()  # without checkpoints, no more than its own is lost


def test_more_trials_than_a_run_can_hold_are_refused_before_it_begins() -> None:
    with pytest.raises(InfeasibleError, match=r"training\.tune\.sweep: trials every"):
        simulate(sweep(1_000_000, 2), 0)
