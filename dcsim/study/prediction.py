"""Prediction: what is not known of the calibration, carried through to every number of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace

from dcsim.errors import InfeasibleError
from dcsim.formulas.estimation import CONFIDENCE_FRAC
from dcsim.metrics.figures import Figures
from dcsim.metrics.prediction import (
    Pilot,
    pilot_figures,
    pilot_notes,
    prediction_intervals,
    slo_met_probability,
)
from dcsim.metrics.replication import read_replication
from dcsim.metrics.summary import Measuring, Summary
from dcsim.metrics.training_prediction import TrainedRun, with_training
from dcsim.sim.simulation import simulate
from dcsim.spec.deployments import resolve_all
from dcsim.spec.scenario import Scenario
from dcsim.study.executor import AdaptiveExecutor
from dcsim.study.pilot import is_whole, pilot_of
from dcsim.study.resampling import Normals, assumed_spreads, resampled
from dcsim.study.training_resampling import assumed_training_spreads, training_draws
from dcsim.tables import RunTables

_JOBS_NOTE = (
    "jobs: their run times are those that the scenario gives, whatever the calibration is: they have no "
    "prediction intervals"
)
_LOAN_NOTE = (
    "{name}: its loans of nodes are longer than the short pilots that the draws run: what a draw changes is "
    "read with all replicas on"
)


@dataclass(frozen=True, slots=True)
class PilotTask:
    """One pilot to run: that of a draw, or the baseline's, with the calibration as it is."""

    scenario: Scenario
    draw: int | None


def predict(
    measuring: Measuring,
    tables: RunTables,
    executor: AdaptiveExecutor,
    on_progress: Callable[[float], None],
) -> Summary:
    """The summary with prediction intervals under ``prediction``, and P(SLO met) of each workload.

    ``tables`` are those of the first replication. Where requests are served, every draw runs a pilot: the
    same scenario, shortened, with the same requests and random numbers, but the calibration drawn anew. What
    it changes in the pilot it is taken to change in the whole. What a draw does to training follows from the
    closed form of its steps.
    """
    measured, first = measuring.summary(), measuring.first
    scenario = first.scenario
    baseline, draws = _pilots(scenario, tables, executor, on_progress)
    notes = [*pilot_notes(measured, baseline, draws), *_left_out(scenario, tables)]
    if scenario.training:
        drawn = training_draws(scenario, first.work.training.values())
        trained = TrainedRun(first, measuring.first_figures)
        baseline, draws = with_training(trained, (baseline, draws), drawn)
    intervals = prediction_intervals(measured, baseline, draws)
    return replace(
        measured,
        values=_with_chances(scenario, measured, baseline, draws),
        prediction={**_about(scenario, notes), **intervals},
    )


def _about(scenario: Scenario, notes: Sequence[str]) -> Figures:
    """What the intervals rest on."""
    assumptions = [*assumed_spreads(scenario), *assumed_training_spreads(scenario)]
    return {
        "confidence_frac": CONFIDENCE_FRAC,
        "num_draws": scenario.calibration_draws,
        "assumptions": [asdict(one) for one in {one.parameter: one for one in assumptions}.values()],
        "notes": list(notes),
    }


def _left_out(scenario: Scenario, tables: RunTables) -> Iterator[str]:
    """What the draws of the calibration do not reach."""
    if scenario.jobs is not None:
        yield _JOBS_NOTE
    if not is_whole(tables):
        yield from (_LOAN_NOTE.format(name=name) for name, one in scenario.serving.items() if one.lending)


def _with_chances(
    scenario: Scenario, measured: Summary, baseline: Pilot, draws: Sequence[Pilot | None]
) -> Figures:
    """The values, and for each served model the probability that its SLO is met."""
    values = dict(measured.values)
    serving = values["serving"]
    assert isinstance(serving, dict)
    chances = {name: slo_met_probability(scenario, name, measured, baseline, draws) for name in serving}
    values["serving"] = {
        name: {**one, "slo_met_probability": chances[name]}
        for name, one in serving.items()
        if isinstance(one, dict)
    }
    return values


def _pilots(
    scenario: Scenario,
    tables: RunTables,
    executor: AdaptiveExecutor,
    on_progress: Callable[[float], None],
) -> tuple[Pilot, Sequence[Pilot | None]]:
    """The pilots of a scenario that serves, the baseline's first; empty ones where there is none to run."""
    num_draws = scenario.calibration_draws
    if not scenario.serving:
        return Pilot({}), [Pilot({})] * num_draws
    pilot = pilot_of(scenario, tables)
    tasks = [PilotTask(pilot, None), *(PilotTask(pilot, draw) for draw in range(num_draws))]
    baseline, *draws = executor.map(run_pilot, tasks, on_progress)
    assert baseline is not None  # the whole scenario ran, so that its shorter one fits too
    return baseline, draws


def run_pilot(task: PilotTask, on_progress: Callable[[float], None]) -> Pilot | None:
    """The figures of one pilot; None where no such system can exist."""
    scenario = task.scenario
    if task.draw is not None:
        scenario = resampled(scenario, Normals(scenario.seed, task.draw, scenario.calibration_draws))
    try:
        deployments = resolve_all(scenario)
        tables = simulate(scenario, 0, on_progress=on_progress)
    except InfeasibleError:
        return None
    return pilot_figures(read_replication(scenario, deployments, tables))
