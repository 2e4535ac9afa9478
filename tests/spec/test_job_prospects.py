"""Scheduled jobs and the failures of their nodes: what is told before a run, against drawn failures."""

from __future__ import annotations

import numpy as np
import pytest

from dcsim.errors import InfeasibleError
from dcsim.sim.simulation import simulate
from dcsim.spec.job_prospects import JobDemand, job_prospect, require_job_prospects
from dcsim.spec.jobs import Preemption
from dcsim.spec.loader import load
from dcsim.spec.scenario import Scenario
from dcsim.tables.jobs import JobStatus

HOUR_S = 3600.0
JOBS = {
    "policy": "poisson",
    "rate": "12 /h",
    "jobs": 20,
    "duration_mean": "20 h",
    "sizes": [{"accelerators": 16}],
}


def scenario(**settings: object) -> Scenario:
    document: dict[str, object] = {
        "name": "jobs",
        "calibration_draws": 0,
        "cluster": {"node": "dgx-h100", "num_nodes": 10},
        "jobs": {"arrivals": JOBS},
        "reliability": {"node_mtbf": "1000 h"},
    }
    return load(document, overrides=settings)


def demands(*hours: float, num_accelerators: float = 16) -> list[JobDemand]:
    return [JobDemand(one * HOUR_S, num_accelerators) for one in hours]


def test_the_mean_completion_is_that_of_drawn_failures() -> None:
    rng, mttf_s, work_s = np.random.default_rng(1), 1.0 * HOUR_S, 1.5 * HOUR_S
    gaps_s = rng.exponential(mttf_s, (40_000, 64))
    first = np.argmax(gaps_s >= work_s, axis=1)  # of 64 runs one gets through, but for one draw in a million
    ends_s = [gaps_s[row, :number].sum() + work_s for row, number in enumerate(first)]
    half_width_s = 3 * np.std(ends_s) / np.sqrt(len(ends_s))
    costs = Preemption.model_validate({})
    prospect = job_prospect(JobDemand(work_s, 16), 2, mttf_s, costs)
    assert prospect.completion_s == pytest.approx(np.mean(ends_s), abs=half_width_s)
    assert prospect.num_hits == pytest.approx(np.mean(first), rel=0.03)


def test_checkpoints_turn_a_hopeless_job_into_one_that_ends() -> None:
    failing = {"reliability.node_mtbf": "1 h"}
    with pytest.raises(InfeasibleError, match="failures let none of them finish"):
        require_job_prospects(scenario(**failing), demands(20.0, 30.0))
    saving = failing | {"jobs.preemption.checkpoint_interval": "10 min"}
    assert require_job_prospects(scenario(**saving), demands(20.0, 30.0)) > 30 * HOUR_S


def test_one_job_that_finishes_is_an_answer() -> None:
    failing = scenario(**{"reliability.node_mtbf": "1 h"})
    assert require_job_prospects(failing, demands(0.1, 30.0)) > 0.0


def test_jobs_longer_than_a_given_duration_run_and_are_found_unfinished() -> None:
    failing = scenario(duration="2 h", **{"reliability.node_mtbf": "1 min", "reliability.node_mttr": "1 s"})
    assert require_job_prospects(failing, demands(20.0)) == 0.0
    statuses = simulate(failing, 0).cluster["jobs"]["status"]
    assert JobStatus.FINISHED not in statuses.tolist()


def test_a_run_whose_nodes_are_mostly_away_is_refused_before_it_begins() -> None:
    failing = scenario(**{"reliability.node_mtbf": "5 min"})
    with pytest.raises(InfeasibleError, match=r"nodes fail every 30 s, more than 200,000 times in \d+ years"):
        simulate(failing, 0)
