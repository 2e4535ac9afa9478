"""Estimates of how training jobs end, held against the parts they are made of and against simulations."""

from __future__ import annotations

import math

import pytest

from dcsim.formulas.reliability import CheckpointTimes, productive_share
from dcsim.spec.loader import load
from dcsim.spec.scenario import Scenario
from dcsim.study.completion_estimate import estimate_completion
from dcsim.study.run import run
from dcsim.study.training_estimate import estimate_training
from dcsim.units import SECONDS_PER_DAY

TEXT = """\
name: small
seed: 7
cluster:
  node: dgx-h100
  num_nodes: 6
  storage: {shared: lustre-flash}
training:
  job:
    model: llama-3.1-8b
    num_nodes: 4
    parallelism: {tensor: 2}
    batch: {sequences: 64, micro: 1, tokens: 4096}
    steps: 400000
economics: {prices: owned-2026}
facility: {site: us-iowa}
"""
FAILING = {
    "reliability": {"node_mtbf": "40 h", "node_mttr": "1 h", "spares": 2},
    "training.job.checkpoint": {"store": "shared", "interval": "20 min"},
}


@pytest.fixture(scope="module")
def quiet() -> Scenario:
    return load(TEXT)


def test_where_nothing_fails_and_nothing_is_saved_the_job_is_done_when_its_steps_are(quiet: Scenario) -> None:
    ended, steps = estimate_completion(quiet)["job"], estimate_training(quiet)["job"]
    assert not ended.is_disturbed
    assert steps.days is not None
    assert ended.completion_s == pytest.approx(steps.days * SECONDS_PER_DAY)
    assert (ended.num_failures, ended.interval_s) == (0.0, None)
    assert (ended.cost_usd, ended.it_j) == (steps.cost_usd, steps.it_j)


def test_failures_and_checkpoints_are_daly_s(quiet: Scenario) -> None:
    ended = estimate_completion(quiet.replace(FAILING))["job"]
    assert ended.mttf_s == pytest.approx(10 * 3600.0)  # four nodes of 40 h
    assert ended.interval_s is not None
    assert ended.interval_s == pytest.approx(1200.0, rel=0.01)  # whole steps
    stall_s = ended.interval_s / _productive_without_failures(quiet) - ended.interval_s
    share = productive_share(ended.interval_s, ended.mttf_s, CheckpointTimes(stall_s, ended.restart_s))
    assert ended.productive_frac == pytest.approx(share)
    assert ended.completion_s is not None
    assert ended.num_failures == pytest.approx(ended.completion_s / ended.mttf_s)


def _productive_without_failures(quiet: Scenario) -> float:
    saving = quiet.replace({"training.job.checkpoint": FAILING["training.job.checkpoint"]})
    ended = estimate_completion(saving)["job"]
    assert math.isinf(ended.mttf_s)
    return ended.productive_frac


def test_lost_time_costs_nodes_but_draws_no_more_than_idle_ones(quiet: Scenario) -> None:
    steps, ended = estimate_training(quiet)["job"], estimate_completion(quiet.replace(FAILING))["job"]
    assert steps.cost_usd is not None
    assert ended.cost_usd is not None
    assert ended.it_j is not None
    assert steps.it_j is not None
    longer = 1.0 / ended.productive_frac
    assert 1.0 < ended.it_j / steps.it_j < ended.cost_usd / steps.cost_usd < longer


def test_a_job_without_an_end_has_a_share_and_no_completion(quiet: Scenario) -> None:
    endless = quiet.replace({**FAILING, "training.job.steps": None, "duration": "2 d"})
    ended = estimate_completion(endless)["job"]
    assert 0.8 < ended.productive_frac < 1.0
    assert (ended.completion_s, ended.cost_usd, ended.num_failures) == (None, None, None)


def test_simulated_jobs_end_when_the_estimate_says(quiet: Scenario) -> None:
    scenario = quiet.replace({**FAILING, "replications": 12, "calibration_draws": 0})
    ended = estimate_completion(scenario)["job"]
    found = run(scenario, num_processes=1).training["job"]
    for key in ("completion_s", "num_failures", "productive_frac", "cost_usd"):
        simulated = getattr(found, key)
        assert simulated.value == pytest.approx(getattr(ended, key), abs=1.5 * simulated.half_width), key
