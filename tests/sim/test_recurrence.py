"""Runs that would never be over are refused, at once where that can be told beforehand."""

from __future__ import annotations

import pytest
import simpy

from dcsim.errors import InfeasibleError
from dcsim.sim import recurrence
from dcsim.sim.recurrence import Recurrence
from dcsim.sim.simulation import simulate
from tests.study.scenarios_for_tests import small_cluster

WINDOW = {"start": "0 s", "duration": "1 ns", "every": "2 ns", "num_nodes": 1}
SPOT = {"num_nodes": 1, "mean_available": "1 ns", "mean_away": "1 ns"}
OUTAGES = {"switch_mtbf": "1 ns", "repair": "1 ns"}
BACKUP = {"store": "other", "every": "1 ns"}

ENDLESS = {
    "jobs.maintenance.0: windows": {"jobs.maintenance": [WINDOW]},
    "jobs.spot: nodes taken away": {"jobs.spot": SPOT},
    "cluster.fabric.failures: outages": {"cluster.fabric.failures": OUTAGES},
    "cluster.storage.fast.backup: copies": {
        "cluster.storage.other": "weka-8",
        "cluster.storage.fast.backup": BACKUP,
    },
    r"reliability\.predictive_maintenance: false alarms every": {
        "reliability.predictive_maintenance": {"precision": 1e-9, "recall": 0.5, "lead": "10 min"},
    },
    "training.pretrain.checkpoint: saves": {
        "duration": "365 d",
        "training.pretrain.checkpoint.interval": "1 ns",
    },
    "the simulation would cover": {"duration": "1e300 s", "jobs": None},
}


@pytest.mark.parametrize("what", ENDLESS)
def test_what_recurs_without_end_is_refused_before_it_begins(what: str) -> None:
    scenario = small_cluster().replace(ENDLESS[what])
    with pytest.raises(InfeasibleError, match=what):
        simulate(scenario, 0)


def test_what_cannot_be_told_beforehand_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recurrence, "MAX_OCCURRENCES", 10)
    outages = {"cable_mtbf": "1 h", "repair": "1 min"}  # of each of many cables
    with pytest.raises(InfeasibleError, match=r"cluster\.fabric\.failures: outages, more than 10 in"):
        simulate(small_cluster().replace({"cluster.fabric.failures": outages}), 0)


def test_a_count_within_the_limit_is_none_of_its_business() -> None:
    counted = Recurrence(simpy.Environment(), "copies", "Lengthen every")
    for _ in range(recurrence.MAX_OCCURRENCES):
        counted.count()
    with pytest.raises(InfeasibleError, match=r"copies, more than 100,000 in 0 s\. Lengthen every"):
        counted.count()


def test_more_trials_at_a_time_than_nodes_are_infeasible() -> None:
    sweep = {"trials": 1_000_000, "concurrent": 1_000_000}
    scenario = small_cluster().replace({"training.pretrain.kind": "sweep", "training.pretrain.sweep": sweep})
    with pytest.raises(InfeasibleError, match="needs 4000000 nodes"):
        simulate(scenario, 0)


def test_a_job_of_all_nodes_beside_spares_is_told_to_name_fewer() -> None:
    job = {"training.pretrain.num_nodes": None, "training.pretrain.batch.sequences": 160}
    with pytest.raises(InfeasibleError, match=r"needs 10 nodes.* 1 spares.* fewer nodes \(num_nodes\)"):
        simulate(small_cluster().replace({"jobs": None, **job}), 0)
