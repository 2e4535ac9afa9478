"""Maintenance without time between its windows is infeasible before the run."""

from __future__ import annotations

import numpy as np
import pytest

import dcsim
from dcsim.errors import InfeasibleError
from dcsim.sim.simulation import require_startable, simulate

TEXT = """
name: windows
cluster: {node: dgx-h100, num_nodes: 2}
jobs:
  arrivals: {policy: poisson, rate: 10 /h, duration_mean: 1 h, duration_cv: 0.01, jobs: 5}
"""
NO_TIME = {"start": "0 s", "duration": "50 min", "every": "50 min", "num_nodes": 2}
SOME_TIME = {**NO_TIME, "every": "60 min"}


@pytest.mark.parametrize(
    ("window", "costs"),
    [
        (NO_TIME, {}),
        ({**SOME_TIME, "drain": "10 min"}, {}),
        (SOME_TIME, {"restart": "11 min"}),
        (SOME_TIME, {"saves": False}),
    ],
)
def test_windows_between_which_no_job_gets_on_are_infeasible(
    window: dict[str, object], costs: dict[str, object]
) -> None:
    scenario = dcsim.load(TEXT, overrides={"jobs.maintenance": [window], "jobs.preemption": costs})
    with pytest.raises(InfeasibleError, match=r"jobs\.maintenance\.0: no job would ever finish"):
        require_startable(scenario)


@pytest.mark.parametrize(
    ("window", "costs"),
    [
        (SOME_TIME, {}),
        (SOME_TIME, {"saves": False, "checkpoint_interval": "5 min"}),
        ({**NO_TIME, "num_nodes": 1}, {}),
        ({**NO_TIME, "start": "2 h"}, {}),
        ({"start": "0 s", "duration": "50 min", "num_nodes": 2}, {}),
    ],
)
def test_jobs_that_only_wait_are_not_refused_and_some_finish(
    window: dict[str, object], costs: dict[str, object]
) -> None:
    scenario = dcsim.load(TEXT, overrides={"jobs.maintenance": [window], "jobs.preemption": costs})
    assert np.isfinite(simulate(scenario, 0).cluster["jobs"]["finished_at_s"]).any()
