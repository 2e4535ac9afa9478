"""Who has which nodes: nothing is held twice, nothing is lost, and the log stays small."""

from __future__ import annotations

import numpy as np
import pytest
import simpy
from hypothesis import given, settings
from hypothesis import strategies as st

from dcsim.sim.holdings import Holder, HoldingLog, Places
from dcsim.sim.simulation import simulate
from dcsim.spec.loader import load
from dcsim.spec.scenario import Scenario
from dcsim.tables import RunTables, Table
from dcsim.tables.holdings import HolderKind

PER_NODE = 8  # of a dgx-h100
NUM_NODES = 9
SERVING = {
    "model": "llama-3.1-8b",
    "engine": "vllm",
    "num_replicas": 2,
    "traffic": {
        "arrivals": {"policy": "poisson", "rate": "0.001 /s"},
        "lengths": {"policy": "fixed", "prompt": 300, "output": 40},
    },
}
UNNOTICED = ("detect", "diagnose")  # spans in which a lost node is still taken to be there


def mixed(seed: int, scheduler: str, **sections: object) -> Scenario:
    """Serving, training, spares, failures and scheduled jobs of all sizes on nine nodes, for half a day."""
    sizes = [{"accelerators": size, "share": f"{share} %"} for size, share in ((0.25, 40), (1, 30), (16, 30))]
    return load(
        {
            "name": "mixed",
            "duration": "12 h",
            "seed": seed,
            "calibration_draws": 0,
            "cluster": {"node": "dgx-h100", "num_nodes": 9, "storage": {"fast": "weka-8"}},
            "serving": {"chat": SERVING},
            "training": {
                "pretrain": {
                    "model": "llama-3.1-8b",
                    "num_nodes": 3,
                    "parallelism": {"tensor": 4},
                    "batch": {"sequences": 96, "tokens": 4096},
                    "tokens": 1e12,
                    "checkpoint": {"store": "fast", "interval": "30 min"},
                }
            },
            "jobs": {
                "arrivals": {"policy": "poisson", "rate": "12 /h", "duration_mean": "1 h", "sizes": sizes},
                "scheduler": scheduler,
            },
            "reliability": {"node_mtbf": "10 h", "node_mttr": "1 h", "spares": 1, "detection": "2 min"},
            **sections,
        }
    )


def most_held(holdings: Table, node: int) -> float:
    """The most accelerators of the node that were held at once."""
    rows = holdings["node"] == node
    started_at_s, count = holdings["started_at_s"][rows], holdings["num_accelerators"][rows]
    at_s = np.concatenate([started_at_s, started_at_s + holdings["duration_s"][rows]]).round(6)
    change = np.concatenate([count, -count])
    return float(np.cumsum(change[np.lexsort((change, at_s))]).max())  # at one instant ends come first


def accelerator_s(table: Table, rows: object = slice(None)) -> float:
    return float((table["num_accelerators"] * table["duration_s"])[rows].sum())


def jobs_hold_what_they_are_said_to(tables: RunTables) -> None:
    holdings, jobs = tables.cluster["node_holdings"], tables.cluster["jobs"]
    names = holdings["holder"].astype(str)
    is_job = holdings["kind"].astype(str) == str(HolderKind.JOB)
    for number, held in zip(jobs["job"].tolist(), jobs["accelerator_s"].tolist(), strict=True):
        assert accelerator_s(holdings, is_job & (names == str(number))) == pytest.approx(held, abs=1e-3)


def training_holds_what_it_is_said_to(tables: RunTables) -> None:
    """At the middle of each span, but for those in which a loss has not been noticed."""
    holdings, spans = tables.cluster["node_holdings"], tables.cluster["training_spans"]
    is_training = holdings["kind"].astype(str) == str(HolderKind.TRAINING)
    begin_s = holdings["started_at_s"][is_training]
    end_s, count = begin_s + holdings["duration_s"][is_training], holdings["num_accelerators"][is_training]
    middle_s = spans["started_at_s"] + spans["duration_s"] / 2
    for kind, at_s, length_s, held in zip(
        spans["kind"], middle_s, spans["duration_s"], spans["num_accelerators"], strict=True
    ):
        if length_s > 1e-3 and kind not in UNNOTICED:
            assert count[(begin_s <= at_s) & (at_s < end_s)].sum() == pytest.approx(held)


@settings(max_examples=12, deadline=None)
@given(
    st.integers(0, 1000),
    st.sampled_from(["fifo", "easy_backfill", "elastic", "least_attained_service"]),
    st.booleans(),
)
def test_nothing_is_held_twice_and_nothing_is_lost(seed: int, scheduler: str, is_elastic: bool) -> None:
    scenario = mixed(seed, scheduler)
    if is_elastic:
        scenario = mixed(
            seed,
            scheduler,
            reliability={"node_mtbf": "10 h", "node_mttr": "1 h", "elastic_shrink": True},
        )
    tables = simulate(scenario, 0)
    holdings = tables.cluster["node_holdings"]
    assert set(holdings["node"].tolist()) <= set(range(NUM_NODES))
    assert max(most_held(holdings, node) for node in range(NUM_NODES)) <= PER_NODE + 1e-9
    assert (holdings["duration_s"] > 0).all()
    jobs_hold_what_they_are_said_to(tables)
    training_holds_what_it_is_said_to(tables)


def test_a_training_job_without_failures_holds_what_its_spans_say() -> None:
    scenario = mixed(1, "fifo", reliability=None, jobs=None)
    cluster = simulate(scenario, 0).cluster
    holdings = cluster["node_holdings"]
    is_training = holdings["kind"].astype(str) == "training"
    assert accelerator_s(holdings, is_training) == pytest.approx(accelerator_s(cluster["training_spans"]))
    whole_s = holdings["num_accelerators"] * holdings["duration_s"]
    assert whole_s[holdings["kind"].astype(str) == "serving"] == pytest.approx(2 * 12 * 3600.0)
    assert whole_s[holdings["kind"].astype(str) == "spare"].sum() == pytest.approx(5 * PER_NODE * 12 * 3600.0)


def test_nodes_are_down_as_long_as_the_failure_log_says() -> None:
    cluster = simulate(mixed(4, "fifo"), 0).cluster
    holdings, failures = cluster["node_holdings"], cluster["failures"]
    is_down = holdings["kind"].astype(str) == "down"
    end_s = np.nan_to_num(failures["repaired_at_s"], nan=12 * 3600.0)
    away_s = (end_s - failures["failed_at_s"])[failures["effect"].astype(str) == "stop"]
    assert is_down.any()
    assert holdings["duration_s"][is_down].sum() == pytest.approx(away_s.sum())


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5), st.floats(0.0, 10.0)), max_size=60),
    st.integers(0, 10),
)
def test_a_full_log_keeps_the_first_and_sums_up_the_rest(
    steps: list[tuple[int, int, float]], most: int
) -> None:
    environment = simpy.Environment()
    full, small = HoldingLog(environment), HoldingLog(environment, most=most)
    held: set[tuple[int, int]] = set()
    for number, node, delay_s in steps:
        environment.run(until=environment.now + delay_s + 1e-3)
        for log in (full, small):
            change = log.end if (number, node) in held else log.begin
            args = () if (number, node) in held else (float(number + 1),)
            change(Holder(HolderKind.JOB, number), node, *args)
        held ^= {(number, node)}
    environment.run(until=environment.now + 1.0)
    all_rows, rows = full.finish(), small.finish()
    kept = min(most, len(all_rows))
    assert len(rows) == kept + (len(all_rows) > most)
    assert rows["num_holdings"].sum() == len(all_rows)
    assert rows["node"][:kept].tolist() == all_rows["node"][:kept].tolist()
    assert accelerator_s(rows) == pytest.approx(accelerator_s(all_rows))


def test_a_spare_stands_for_as_many_accelerators_as_the_node_before() -> None:
    environment = simpy.Environment()
    log = HoldingLog(environment)
    places = Places(log, Holder(HolderKind.SERVING, "chat"), {0: 8.0, 1: 4.0})
    places.fill(0)
    places.fill(1)
    environment.run(until=10.0)
    places.leave(1)
    environment.run(until=15.0)
    places.fill(7)
    environment.run(until=20.0)
    table = log.finish()
    rows = zip(table["node"], table["num_accelerators"], table["duration_s"], strict=True)
    assert [*rows] == [(0, 8.0, 20.0), (1, 4.0, 10.0), (7, 4.0, 5.0)]
