"""What a draw makes of a cluster that trains, against a simulated twin in which the draw is the truth."""

from __future__ import annotations

import math

import pytest

from dcsim.metrics.figures import leaves
from dcsim.metrics.prediction import Pilot, prediction_intervals
from dcsim.metrics.summary import Measuring
from dcsim.metrics.training_prediction import TrainedRun, TrainingDraw, with_training
from dcsim.sim.simulation import simulate
from dcsim.spec.loader import load
from dcsim.spec.scenario import Scenario
from dcsim.spec.training.deployment import resolve_training
from dcsim.study.run import run

JOB = """
name: training
calibration_draws: 24
cluster: {node: dgx-h100, num_nodes: 3}
training:
  job:
    model: pythia-1.4b
    software: {base: megatron, efficiency: 0.45, uncertainty: {dense: 0.2}}
    num_nodes: 1
    batch: {sequences: 512, micro: 4, tokens: 2048}
    steps: 400
facility: {site: us-iowa}
economics: {prices: owned-2026}
"""
CUT = {"duration": "10 min"}  # before the job's end
FAILING = {
    "reliability": {"node_mtbf": "6 h", "detection": "1 min", "spares": 1},
    "duration": "3 d",
    "training.job.steps": 100_000,
    "cluster.storage": {"fast": {"base": "weka-8"}},
    "training.job.checkpoint": {"store": "fast", "interval": "10 min"},
}


def scenario(**settings: object) -> Scenario:
    return load(JOB, overrides=settings)


def measured(given: Scenario, replications: int = 1) -> Measuring:
    found = Measuring(given)
    for number in range(replications):
        found.add(simulate(given, number))
    return found


def trained(given: Scenario) -> TrainedRun:
    found = measured(given)
    return TrainedRun(found.first, found.first_figures)


def slower(given: Scenario, factor: float) -> Scenario:
    """The same scenario with software that is slower by a factor: the twin."""
    software = given.training["job"].software
    times = {"efficiency": software.efficiency_frac / factor, "layer_host_time": f"{4e-4 * factor} s"}
    twin = {
        "base": "megatron",
        "uncertainty": {"dense": 0.2},
        "step_host_time": f"{0.01 * factor} s",
        **times,
    }
    return given.replace({"training.job.software": twin})


def draw_of(given: Scenario, twin: Scenario) -> TrainingDraw:
    before, after = (resolve_training(one, "job").step() for one in (given, twin))
    rise_factor = after.accelerator_rise_w / before.accelerator_rise_w
    return TrainingDraw(after.total_s / before.total_s, rise_factor)


@pytest.mark.parametrize(("settings", "rel"), [({}, 1e-6), (CUT, 3e-3), (FAILING, 0.03)])
@pytest.mark.parametrize("factor", [0.92, 1.25])
def test_the_figures_of_a_draw_are_those_of_a_simulated_twin(settings: dict, rel: float, factor: float):
    given = scenario(**settings)
    twin = slower(given, factor)
    found = trained(given).drawn({"job": draw_of(given, twin)})
    truth = dict(leaves(measured(twin).first_figures))
    assert ("training", "job", "step_time_s") in found
    for path, value in found.items():
        assert value == pytest.approx(truth[path], rel=rel), path


def test_an_empty_draw_leaves_every_figure_as_it_is():
    given = scenario()
    figures = dict(leaves(measured(given).first_figures))
    for path, value in trained(given).drawn({}).items():
        assert value == pytest.approx(figures[path], rel=1e-12)


def test_a_certain_calibration_leaves_the_interval_of_the_replications():
    found = measured(scenario(**FAILING), replications=3)
    summary, run_ = found.summary(), TrainedRun(found.first, found.first_figures)
    baseline, draws = with_training(run_, (Pilot({}), [Pilot({})] * 8), [{}] * 8)
    low, high = prediction_intervals(summary, baseline, draws)["training"]["job"]["productive_frac"]
    value = summary.values["training"]["job"]["productive_frac"]
    width = summary.intervals["training"]["job"]["productive_frac"]
    assert (low, high) == (pytest.approx(value - width), pytest.approx(value + width))


def test_what_a_pilot_says_of_the_cluster_is_multiplied_by_what_training_does_to_it():
    path, draw = ("cost", "total_usd"), {"job": TrainingDraw(1.3, 0.9)}
    run_ = trained(scenario())
    ratio = run_.drawn(draw)[path] / run_.drawn({})[path]
    baseline, (drawn, lost) = with_training(
        run_, (Pilot({path: 10.0}), [Pilot({path: 11.0}), None]), [draw, draw]
    )
    assert (baseline.figures[path], lost) == (10.0, None)
    assert drawn.figures[path] == pytest.approx(11.0 * ratio) != 11.0
    cost, energy = (("training", "job", key) for key in ("cost_usd", "it_j"))
    assert drawn.figures[cost] == pytest.approx(1.1 * run_.drawn(draw)[cost])
    assert drawn.figures[energy] == run_.drawn(draw)[energy]  # what others draw is not the job's


def test_the_interval_holds_the_truth_of_a_twin_within_two_spreads_and_not_beyond():
    given = scenario()
    low, high = run(given, num_processes=1).summary["prediction"]["training"]["job"]["completion_s"]
    for number, is_held in ((-3.0, False), (-1.7, True), (0.0, True), (1.7, True), (3.0, False)):
        truth = measured(slower(given, math.exp(0.2 * number))).first_figures
        assert (low <= truth["training"]["job"]["completion_s"] <= high) == is_held


def test_a_run_that_trains_gets_intervals_of_its_own_figures_and_of_the_cluster():
    predicted = run(scenario(), num_processes=1).summary["prediction"]
    keys = ("step_time_s", "mfu_frac", "hfu_frac", "tokens_per_s", "completion_s", "cost_usd", "it_j")
    for ends in (*(predicted["training"]["job"][key] for key in keys), predicted["cost"]["total_usd"]):
        assert ends[0] < ends[1]
    assert predicted["energy"]["it_j"][0] < predicted["energy"]["it_j"][1]
    assert predicted["num_draws"] == 24


def test_without_draws_there_are_no_intervals_and_jobs_of_a_trace_get_a_note():
    assert "prediction" not in run(scenario(calibration_draws=0), num_processes=1).summary
    jobs = {"arrivals": {"policy": "poisson", "rate": "60 /h", "duration_mean": "1 min"}}
    found = run(scenario(jobs=jobs, **CUT), num_processes=1).summary["prediction"]
    assert "jobs" not in found
    assert any("run times" in note for note in found["notes"])


def test_the_same_seed_gives_the_same_intervals():
    first, second = (run(scenario(**CUT), num_processes=1).summary["prediction"] for _ in range(2))
    assert first == second
