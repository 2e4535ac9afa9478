"""Resampling of training: steps with the calibrated constants drawn anew, in closed form."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from dcsim.catalog.efficiency import Efficiency
from dcsim.catalog.loader import load_entry
from dcsim.catalog.model import Model
from dcsim.catalog.software import StepClass
from dcsim.formulas.training.hardware import TrainingHardware
from dcsim.formulas.training.software import SoftwareFacts
from dcsim.metrics.training_prediction import TrainingDraw
from dcsim.spec.ceilings import wide_datatype
from dcsim.spec.scenario import Scenario
from dcsim.spec.training.deployment import TrainingDeployment, job_hardware, training_on
from dcsim.spec.training.job import TrainingJob
from dcsim.study.resampling import AssumedSpread, Normals, assumed_times, drawn_efficiency, resampled

# What is taken where a framework states no error of its own: the root mean square logarithmic errors over the
# held-out steps of all frameworks (python -m benchmarks.accuracy.training_uncertainty).
STEP: Mapping[StepClass, float] = {StepClass.DENSE: 0.10, StepClass.NARROW: 0.10, StepClass.EXPERTS: 0.19}
# Standard deviations of the logarithm of a collective's time, of messages of 1 MiB and more: normal laws with
# the mean errors of 7 % at numbers of ranks that were not measured on a measured network, and of 10 % on
# networks without any measurement: the worse of published tables and NVIDIA AIConfigurator's kernels
# (python -m benchmarks.accuracy.collectives).
MEASURED_COLLECTIVES, FORMULA_COLLECTIVES = 0.09, 0.13
_WIDE_BYTES = 2.0
_WHY_STEP = "no error stated; that of held-out steps of all software, or the largest that it states"
_WHY_MEASURED = "error at numbers of ranks that were not measured on this network"
_WHY_FORMULA = "error on networks that were not measured"


def training_draws(scenario: Scenario, jobs: Iterable[TrainingDeployment]) -> list[dict[str, TrainingDraw]]:
    """What each draw of the calibration makes of the undisturbed steps of the jobs, by name.

    Drawn are the efficiency profile as for serving, the collectives of the cluster's network by one factor,
    and whole steps by another. What the closed form was off by in held-out steps of the software holds the
    errors of operators and collectives too: the factor on whole steps has what they leave of it. The power
    curve is drawn here unless serving's pilots, which draw it, tell what it does to the cluster.
    """
    by_job = {one.name: _draws_of(scenario, one) for one in jobs}
    return [
        {name: draws[number] for name, draws in by_job.items()}
        for number in range(scenario.calibration_draws)
    ]


def _draws_of(scenario: Scenario, job: TrainingDeployment) -> list[TrainingDraw]:
    num_draws, known = scenario.calibration_draws, job.step()
    every = [Normals(scenario.seed, draw, num_draws) for draw in range(num_draws)]
    machines = [_drawn_hardware(scenario, job.name, normals) for normals in every]
    steps_s = [training_on(scenario, job.name, one, job.software).step().total_s for one in machines]
    variance = math.fsum(math.log(one / known.total_s) ** 2 for one in steps_s) / num_draws
    left = max(_step_log_sd(job.job)[0] ** 2 - variance, 0.0) ** 0.5
    found = []
    for normals, machine in zip(every, machines, strict=True):
        whole = math.exp(left * normals[f"{job.job.software.name}.step"])
        network = replace(machine.network, time_factor=machine.network.time_factor * whole)
        drawn_machine, software = replace(machine, network=network), slower(job.software, whole)
        step = training_on(scenario, job.name, drawn_machine, software).step()
        rise_factor = step.accelerator_rise_w / known.accelerator_rise_w if known.accelerator_rise_w else 1.0
        total_s = step.total_s + (whole - 1.0) * step.generation_s  # which is part of the whole step
        found.append(TrainingDraw(total_s / known.total_s, rise_factor))
    return found


def _drawn_hardware(scenario: Scenario, name: str, normals: Normals) -> TrainingHardware:
    """The hardware of a job with profile and collectives drawn anew, and power where no pilot draws it."""
    powered = scenario if scenario.serving else resampled(scenario, normals)
    node = scenario.cluster.node
    profile = drawn_efficiency(_profile(scenario), node.scale_up, normals)
    hardware = job_hardware(powered, name, profile)
    log_sd, _ = _collectives(hardware)
    factor = math.exp(log_sd * normals[f"{node.name}.collectives"])
    return replace(hardware, network=replace(hardware.network, time_factor=factor))


def slower(software: SoftwareFacts, factor: float) -> SoftwareFacts:
    """The software with all its own times longer by a factor: of operators and of the host."""
    return replace(
        software,
        efficiency_frac=software.efficiency_frac / factor,
        layer_host_s=software.layer_host_s * factor,
        expert_host_s=software.expert_host_s * factor,
        step_host_s=software.step_host_s * factor,
        send_host_s=software.send_host_s * factor,
    )


def assumed_training_spreads(scenario: Scenario) -> list[AssumedSpread]:
    """The spreads that a draw takes of the scenario's training jobs without a statement in the catalogue."""
    found: dict[str, AssumedSpread] = {}
    for name, job in scenario.training.items():
        found |= {one.parameter: one for one in assumed_times(_profile(scenario), _operators(scenario, job))}
        log_sd, is_stated = _step_log_sd(job)
        if not is_stated:
            parameter = f"software/{job.software.name} {step_class(job)} step"
            found[parameter] = AssumedSpread(parameter, log_sd, _WHY_STEP)
        parameter = f"nodes/{scenario.cluster.node.name} collectives"
        found[parameter] = AssumedSpread(parameter, *_collectives(job_hardware(scenario, name)))
    return list(found.values())


def step_class(job: TrainingJob) -> StepClass:
    """The class of a job's steps, by which their errors are told apart."""
    if isinstance(job.model, Model) and job.model.experts is not None:
        return StepClass.EXPERTS
    return StepClass.NARROW if job.precision.num_bytes < _WIDE_BYTES else StepClass.DENSE


def _step_log_sd(job: TrainingJob) -> tuple[float, bool]:
    """The spread of the closed form's error, and whether the software states it."""
    kind, stated = step_class(job), job.software.uncertainty
    if kind in stated:
        return stated[kind], True
    return max([STEP[kind], *stated.values()]), False


def _collectives(hardware: TrainingHardware) -> tuple[float, str]:
    """The spread of the times of collectives, and why it is that."""
    if hardware.network.measured is None:
        return FORMULA_COLLECTIVES, _WHY_FORMULA
    return MEASURED_COLLECTIVES, _WHY_MEASURED


def _operators(scenario: Scenario, job: TrainingJob) -> Iterator[str]:
    profile, wide = _profile(scenario), wide_datatype(job.precision, scenario.cluster.installed_accelerator)
    for operator, kind in (("gemm", job.precision), ("gemm", wide), ("attention_prefill", wide)):
        if kind in getattr(profile, operator):
            yield f"{operator}.{kind}"


def _profile(scenario: Scenario) -> Efficiency:
    entry = load_entry("efficiency", scenario.cluster.installed_accelerator.efficiency)
    assert isinstance(entry, Efficiency)
    return entry
