"""Prediction: what is not known of the calibration, carried through to every number of a run."""

from __future__ import annotations

from collections.abc import Callable
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
from dcsim.metrics.summary import Summary
from dcsim.sim.simulation import simulate
from dcsim.spec.deployments import resolve_all
from dcsim.spec.scenario import Scenario
from dcsim.study.executor import AdaptiveExecutor
from dcsim.study.pilot import pilot_of
from dcsim.study.resampling import Normals, assumed_spreads, resampled
from dcsim.tables import RunTables


@dataclass(frozen=True, slots=True)
class PilotTask:
    """One pilot to run: that of a draw, or the baseline's, with the calibration as it is."""

    scenario: Scenario
    draw: int | None


def predict(
    scenario: Scenario,
    measured: Summary,
    tables: RunTables,
    executor: AdaptiveExecutor,
    on_progress: Callable[[float], None],
) -> Summary:
    """The summary with prediction intervals under ``prediction``, and P(SLO met) of each workload.

    ``tables`` are those of the first replication. Every draw runs a pilot: the same scenario, shortened,
    with the same requests and random numbers, but the calibration drawn anew. What it changes in the pilot
    it is taken to change in the whole.
    """
    pilot = pilot_of(scenario, tables)
    tasks = [PilotTask(pilot, None), *(PilotTask(pilot, draw) for draw in range(scenario.calibration_draws))]
    baseline, *draws = executor.map(run_pilot, tasks, on_progress)
    assert baseline is not None  # the whole scenario ran, so that its shorter one fits too
    about: Figures = {
        "confidence_frac": CONFIDENCE_FRAC,
        "num_draws": scenario.calibration_draws,
        "assumptions": [asdict(one) for one in assumed_spreads(scenario)],
        "notes": list(pilot_notes(measured, baseline, draws)),
    }
    values = dict(measured.values)
    serving = values["serving"]
    assert isinstance(serving, dict)
    values["serving"] = {
        name: {
            **one,
            "slo_met_probability": slo_met_probability(scenario, name, measured, baseline, draws),
        }
        for name, one in serving.items()
        if isinstance(one, dict)
    }
    intervals = prediction_intervals(measured, baseline, draws)
    return replace(measured, values=values, prediction={**about, **intervals})


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
