"""Lending from YAML: stores, failures, energy, and nothing of it without the section."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dcsim
from dcsim.errors import InfeasibleError
from dcsim.sim.simulation import simulate
from dcsim.tables import RequestStatus, RunTables
from dcsim.tables.jobs import JobStatus

DOCUMENT: dict[str, object] = {
    "name": "lends",
    "duration": "40 min",
    "calibration_draws": 0,
    "cluster": {"node": "dgx-h100", "num_nodes": 4, "storage": {"fs": "lustre-flash"}},
    "serving": {
        "chat": {
            "model": "llama-3.1-8b",
            "engine": "vllm",
            "num_replicas": 16,
            "weights": "fs",
            "lending": {"idle": [{"start": "5 min", "duration": "10 min", "every": "15 min", "replicas": 8}]},
            "traffic": {
                "arrivals": {"policy": "poisson", "rate": "6 /s"},
                "lengths": {"policy": "fixed", "prompt": 200, "output": 200},
            },
        }
    },
    "jobs": {"arrivals": {"policy": "poisson", "rate": "2 /min", "duration_mean": "5 min", "jobs": 40}},
}
FAILURES = {"node_mtbf": "15 min", "node_mttr": "3 min", "spares": 1, "detection": "5 s", "diagnosis": "0 s"}


def same_bytes(one: RunTables, other: RunTables) -> bool:
    pairs = [(one["chat"].requests, other["chat"].requests), (one["chat"].steps, other["chat"].steps)]
    pairs += [(one.cluster[name], other.cluster[name]) for name in one.cluster]
    return all(
        np.array_equal(a[key], b[key], equal_nan=a[key].dtype.kind == "f")
        for a, b in pairs
        for key in a.columns
    )


@pytest.mark.parametrize("reliability", [None, FAILURES], ids=["without failures", "with failures"])
def test_no_request_is_lost_and_the_same_seed_gives_the_same_bytes(reliability: object) -> None:
    scenario = dcsim.load(DOCUMENT, overrides={"reliability": reliability})
    tables = simulate(scenario, 0)
    requests, loans = tables["chat"].requests, tables.cluster["lending"]
    assert (requests["status"] == RequestStatus.FINISHED).all()
    assert (requests["num_generated_tokens"] == 200).all()
    assert len(loans["node"]) >= 2
    assert (tables.cluster["jobs"]["status"] != JobStatus.ABANDONED).all()
    assert same_bytes(tables, simulate(scenario, 0))


@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 1000),
    mtbf_min=st.integers(4, 60),
    num_spares=st.integers(0, 1),
    start_s=st.integers(0, 300),
    duration_s=st.integers(20, 400),
    num_off=st.integers(1, 15),
    by_load=st.booleans(),
)
def test_whatever_fails_no_accelerator_works_for_two_and_every_request_ends(
    seed: int, mtbf_min: int, num_spares: int, start_s: int, duration_s: int, num_off: int, by_load: bool
) -> None:
    window = {"start": f"{start_s} s", "duration": f"{duration_s} s", "every": "500 s", "replicas": num_off}
    load = {"policy": "by_load", "every": "50 s", "full_at": 3} if by_load else None
    scenario = dcsim.load(
        DOCUMENT,
        overrides={
            "seed": seed,
            "duration": "15 min",
            "serving.chat.traffic.arrivals.rate": "2 /s",
            "serving.chat.lending": {"idle": [window], "autoscaler": load},
            "reliability": {
                **FAILURES,
                "node_mtbf": f"{mtbf_min} min",
                "spares": num_spares,
                "predictive_maintenance": {"precision": "50 %", "recall": "50 %", "lead": "100 s"},
                "maintenance": [{"every": "5 min", "duration": "50 s", "nodes": "25 %"}],
            },
        },
    )
    tables = simulate(scenario, 0)
    assert (tables["chat"].requests["status"] == RequestStatus.FINISHED).all()
    held = tables.cluster["node_holdings"]
    ended_at_s = held["started_at_s"] + held["duration_s"]
    for node in range(4):
        mine = held["node"] == node
        for instant_s in held["started_at_s"][mine]:
            is_held = mine & (held["started_at_s"] <= instant_s) & (ended_at_s > instant_s + 1e-6)
            assert held["num_accelerators"][is_held].sum() <= 8 + 1e-9


def test_weights_are_read_from_the_store_once_for_each_node_that_comes_back() -> None:
    operations = simulate(dcsim.load(DOCUMENT), 0).cluster["storage_operations"]
    assert operations["label"].tolist() == ["weights llama-3.1-8b"] * 2
    assert operations["started_at_s"].tolist() == [930.0, 1830.0]  # 30 s after the windows end


def test_the_store_of_weights_of_the_section_reliability_counts_where_a_model_names_none() -> None:
    overrides = {"serving.chat.weights": None, "reliability": {"weights": "fs"}}
    tables = simulate(dcsim.load(DOCUMENT, overrides=overrides), 0)
    assert len(tables.cluster["storage_operations"]["label"]) == 2


def test_jobs_may_live_on_lent_nodes_alone() -> None:
    scenario = dcsim.load(DOCUMENT, overrides={"cluster.num_nodes": 2})
    tables = simulate(scenario, 0)
    started_at_s = tables.cluster["jobs"]["started_at_s"]
    assert np.nanmin(started_at_s) >= 300.0
    with pytest.raises(InfeasibleError, match="no node is left"):
        simulate(scenario.replace({"serving.chat.lending": None}), 0)


def test_accelerators_of_replicas_that_are_off_draw_what_idle_ones_draw(tmp_path: Path) -> None:
    trace = tmp_path / "jobs.csv"
    trace.write_text("submitted_at_s,duration_s,num_accelerators\n0,60,1\n", encoding="utf-8")
    stages = [{"rate": "1 /s", "duration": "1 min"}, {"rate": "0 /s", "duration": "39 min"}]
    scenario = dcsim.load(
        DOCUMENT,
        overrides={
            "warmup": "10 min",  # then nobody works any more, and half of the replicas are off at times
            "serving.chat.traffic.arrivals": {"policy": "rate_stages", "stages": stages},
            "jobs": {"trace": {"path": str(trace), "format": "csv"}},
        },
    )
    summary = dcsim.run(scenario, num_processes=1).summary
    idle_w = scenario.cluster.installed_accelerator.power_curve.idle_w
    assert summary["lending"]["num_nodes"]["mean"] > 0.2
    assert summary["energy"]["mean_accelerator_w"] == pytest.approx(idle_w)
    assert summary["energy"]["it_j"] == pytest.approx(summary["energy"]["idle_j"])


def test_without_lending_no_table_and_no_number_says_anything_of_it() -> None:
    tables = simulate(dcsim.load(DOCUMENT, overrides={"serving.chat.lending": None}), 0)
    assert not {"lending", "replica_pauses"} & tables.cluster.keys()


def test_serving_does_not_pay_for_nodes_while_they_are_lent() -> None:
    overrides = {"economics": {"prices": "owned-2026"}, "facility": {"site": "us-iowa"}}
    summary = dcsim.run(dcsim.load(DOCUMENT, overrides=overrides), num_processes=1).summary
    num_lent = summary["lending"]["num_nodes"]["mean"]  # nodes: of four in all, two of them the replicas'
    assert num_lent > 0.3
    total_usd, chat_usd = summary["cost"]["total_usd"], summary["serving"]["chat"]["cost_usd"]
    assert chat_usd == pytest.approx(total_usd * (2.0 - num_lent) / 4.0)
    assert chat_usd + summary["jobs"]["cost_usd"] + summary["cost"]["unheld_usd"] == pytest.approx(total_usd)
    whole_j, unheld_j = summary["energy"]["it_j"], summary["energy"]["unheld_it_j"]
    shares_j = summary["serving"]["chat"]["it_j"] + summary["jobs"]["it_j"]
    assert shares_j + unheld_j == pytest.approx(whole_j)
