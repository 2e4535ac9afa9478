"""Draws of training steps against the spreads that they are drawn from."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from dcsim.catalog.software import StepClass
from dcsim.spec.loader import load
from dcsim.spec.scenario import Scenario
from dcsim.spec.training.deployment import resolve_training, training_on
from dcsim.study.training_resampling import (
    FORMULA_COLLECTIVES,
    STEP,
    assumed_training_spreads,
    slower,
    step_class,
    training_draws,
)

JOB = """
name: training
calibration_draws: 48
duration: 1 h
cluster: {node: dgx-h100, num_nodes: 4}
training:
  job:
    model: llama-3.1-8b
    software: {base: megatron, uncertainty: {dense: 0.2}}
    parallelism: {tensor: 4, pipeline: 2}
    batch: {sequences: 128, micro: 1, tokens: 8192}
"""


def scenario(**settings: object) -> Scenario:
    return load(JOB, overrides={key.replace("__", "."): value for key, value in settings.items()})


def logs(given: Scenario) -> list[float]:
    draws = training_draws(given, [resolve_training(given, "job")])
    return [math.log(one["job"].step_factor) for one in draws]


@pytest.mark.parametrize("factor", [0.5, 1.3])
def test_slower_software_on_a_slower_network_makes_every_step_longer_by_the_factor(factor: float):
    given = scenario()
    job = resolve_training(given, "job")
    hardware = replace(job.hardware, network=replace(job.hardware.network, time_factor=factor))
    drawn = training_on(given, "job", hardware, slower(job.software, factor)).step()
    assert drawn.total_s == pytest.approx(factor * job.step().total_s)
    assert drawn.mfu_frac == pytest.approx(job.step().mfu_frac / factor)


def test_steps_spread_as_the_held_out_steps_of_the_software_did():
    assert np.std(logs(scenario())) == pytest.approx(0.2, rel=0.05)


def test_the_generation_of_samples_is_part_of_the_step_that_spreads():
    rollout = {"prompt_tokens": 500, "output_tokens": 1000}
    given = scenario(training__job__kind="rl", training__job__rollout=rollout)
    step = resolve_training(given, "job").step()
    assert step.generation_s > 0.2 * step.total_s
    assert np.std(logs(given)) == pytest.approx(0.2, rel=0.05)


def test_an_error_below_that_of_operators_and_collectives_adds_nothing():
    certain = logs(scenario(training__job__software={"base": "megatron", "uncertainty": {"dense": 0.0}}))
    stated = logs(scenario(training__job__software={"base": "megatron", "uncertainty": {"dense": 0.005}}))
    assert stated == certain
    assert 0.005 < np.std(stated) < 0.1


def test_jobs_of_one_software_share_its_draw():
    given = scenario(training__job__num_nodes=2)
    given = given.replace({"training.other": given.document["training"]["job"]})
    jobs = [resolve_training(given, name) for name in ("job", "other")]
    assert all(one["job"] == one["other"] for one in training_draws(given, jobs))


def test_the_same_seed_gives_the_same_draws_and_another_seed_others():
    assert logs(scenario()) == logs(scenario())
    assert logs(scenario()) != logs(scenario(seed=2))


def test_power_is_drawn_where_no_pilot_draws_it():
    given = scenario()
    factors = [one["job"].rise_factor for one in training_draws(given, [resolve_training(given, "job")])]
    assert 0.02 < np.std(np.log(factors)) < 0.5


@pytest.mark.parametrize(
    ("model", "precision", "kind"),
    [
        ("llama-3.1-8b", "bf16", StepClass.DENSE),
        ("llama-3.1-8b", "fp8", StepClass.NARROW),
        ("mixtral-8x7b", "bf16", StepClass.EXPERTS),
        ("resnet-50", "bf16", StepClass.DENSE),
    ],
)
def test_steps_are_told_apart_by_datatype_and_experts(model: str, precision: str, kind: StepClass):
    settings = {"training__job__model": model, "training__job__precision": precision}
    settings["training__job__parallelism"] = {}
    assert step_class(scenario(**settings).training["job"]) is kind


def assumed(**settings: object) -> dict[str, float]:
    return {one.parameter: one.log_sd for one in assumed_training_spreads(scenario(**settings))}


def test_what_nobody_states_is_assumed_and_listed():
    found = assumed(training__job__software="maxtext", training__job__precision="fp8")
    assert found["software/maxtext narrow step"] == STEP[StepClass.NARROW]
    assert "software/megatron dense step" not in assumed()
    assert assumed(cluster__node="hgx-h800")["nodes/hgx-h800 collectives"] == FORMULA_COLLECTIVES


def test_a_class_without_a_statement_is_no_surer_than_what_the_software_states():
    found = assumed(training__job__software="deepspeed", training__job__precision="fp8")
    stated = scenario(training__job__software="deepspeed").training["job"].software.uncertainty
    assert found["software/deepspeed narrow step"] == stated[StepClass.DENSE] > STEP[StepClass.NARROW]
