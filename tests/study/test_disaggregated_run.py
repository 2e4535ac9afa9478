"""Disaggregated prefill from the scenario to everything that is shown of it."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

import dcsim
from dcsim.errors import ScenarioError
from dcsim.report.text import show_result
from dcsim.result import Result
from dcsim.spec.scenario import Scenario
from dcsim.study.pilot import pilot_of
from dcsim.study.run import run
from tests.study.scenarios_for_tests import tiny


def disaggregated(**overrides: object) -> Scenario:
    """Two prefill replicas on one node, two that decode on another."""
    settings: dict[str, object] = {
        "cluster__num_nodes": 2,
        "serving__chat__num_replicas": 2,
        "serving__chat__parallelism": {"tensor": 4},
        "serving__chat__prefill": {"num_replicas": 2},
        "serving__chat__traffic__arrivals": {"policy": "poisson", "rate": "20 /s"},
    }
    return tiny(**{**settings, **overrides})


@pytest.fixture(scope="module")
def result() -> Result:
    return run(disaggregated(cluster__fabric={"topology": "leaf_spine"}), num_processes=1)


def chat(found: Result) -> dict[str, Any]:
    serving = found.summary["serving"]
    assert isinstance(serving, dict)
    return serving["chat"]  # type: ignore[return-value]


def test_the_pools_add_up_to_the_workload(result: Result) -> None:
    summary = chat(result)
    pools = summary["pools"]
    for name in ("output_tokens_per_s", "computed_prompt_tokens_per_s", "steps_per_s", "num_accelerators"):
        assert sum(pool[name] for pool in pools.values()) == pytest.approx(summary[name])
    assert pools["decode"]["computed_prompt_tokens_per_s"] == 0
    assert summary["accelerator_power_w"] == pytest.approx(
        (pools["decode"]["accelerator_power_w"] + pools["prefill"]["accelerator_power_w"]) / 2
    )


def test_every_accelerator_of_both_pools_is_paid_and_powered(result: Result) -> None:
    summary = chat(result)
    energy = result.summary["energy"]
    assert isinstance(energy, dict)
    own_j = summary["accelerator_power_w"] * summary["num_accelerators"] * energy["duration_s"]  # type: ignore[operator]
    assert summary["num_accelerators"] == 16
    assert energy["accelerator_j"] == pytest.approx(own_j)


def test_kv_caches_are_transfers_of_the_fabric(result: Result) -> None:
    sent, carried = result.tables.kv_transfers, result.tables.cluster("transfers")
    assert set(carried["label"]) == {"KV chat"}
    assert carried["num_bytes"].sum() == pytest.approx(sent["num_bytes"].sum())
    assert np.allclose(
        np.sort(carried["finished_at_s"] - carried["started_at_s"]),
        np.sort(sent["ended_at_s"] - sent["started_at_s"]),
    )


def test_the_gap_after_the_first_token_holds_the_transfer(result: Result) -> None:
    explained = chat(result)["explain"]["mean"]
    requests, sent = result.tables.requests, result.tables.kv_transfers
    held_s = (sent["decoding_at_s"] - sent["prefilled_at_s"]).sum() / len(requests)
    assert explained["kv_transfer_s"] == pytest.approx(held_s, rel=1e-6)


def test_a_network_with_other_traffic_makes_transfers_longer() -> None:
    narrow = {"topology": "leaf_spine", "link": "ethernet-100g", "oversubscription": 8, "rails": 1}
    slow = run(disaggregated(cluster__fabric=narrow), num_processes=1)
    fast = run(disaggregated(), num_processes=1)
    assert chat(slow)["kv_transfer"]["time_s"]["mean"] > 4 * chat(fast)["kv_transfer"]["time_s"]["mean"]
    assert chat(slow)["ttft_s"]["mean"] == pytest.approx(chat(fast)["ttft_s"]["mean"])


def test_a_decode_pool_that_cannot_keep_up_is_unstable() -> None:
    lengths = {"policy": "fixed", "prompt": 300, "output": 400}
    few = {"max_num_seqs": 4}
    found = run(
        disaggregated(serving__chat__traffic__lengths=lengths, serving__chat__scheduler=few,
                      serving__chat__prefill={"num_replicas": 2, "scheduler": {"max_num_seqs": 64}}),
        num_processes=1,
    )  # fmt: skip
    assert chat(found)["stability"]["verdict"] == "unstable"


def test_serial_and_parallel_runs_are_the_same() -> None:
    scenario = disaggregated(replications=2, cluster__fabric={"topology": "leaf_spine"})
    serial, parallel = (run(scenario, num_processes=number) for number in (1, 2))
    assert serial.summary == parallel.summary
    for one, other in zip(serial.tables.replications, parallel.tables.replications, strict=True):
        for name, column in one["chat"].kv_transfers.columns.items():
            np.testing.assert_array_equal(column, other["chat"].kv_transfers[name])


def test_a_saved_result_is_opened_with_its_transfers(result: Result, tmp_path: Path) -> None:
    result.save(tmp_path / "out")
    opened = dcsim.open(tmp_path / "out")
    assert opened.tables.kv_transfers.equals(result.tables.kv_transfers)
    replicas = opened.series["serving"]["chat"]["replicas"]  # type: ignore[index,call-overload]
    assert replicas["role"] == ["decode", "decode", "prefill", "prefill"]  # type: ignore[index,call-overload]


def test_the_report_names_both_pools_and_the_transfers(result: Result) -> None:
    text = io.StringIO()
    show_result(Console(file=text, width=120), result)
    shown = text.getvalue()
    assert "2 prefill replicas (tensor 4) and 2 decode replicas (tensor 4)" in " ".join(shown.split())
    for words in (
        "prefill replicas",
        "decode replicas",
        "KV transfers",
        "KV transfer ",
        "wait for room, p99",
    ):
        assert words in shown
    assert " ms" in shown.split("wait for room, mean")[1].splitlines()[0]


def test_the_trace_shows_a_transfer_between_prefill_and_decode(result: Result, tmp_path: Path) -> None:
    dcsim.write_chrome_trace(tmp_path / "trace.json", result.tables.replications[0])
    events = json.loads((tmp_path / "trace.json").read_text(encoding="utf-8"))["traceEvents"]
    assert {"wait for room", "KV transfer", "decode"} <= {event["name"] for event in events}
    threads = {event["args"]["name"] for event in events if event["name"] == "thread_name"}
    assert {"engine 0 (decode)", "engine 2 (prefill)"} <= threads


def test_draws_of_the_calibration_give_prediction_intervals() -> None:
    found = run(disaggregated(calibration_draws=2), num_processes=1)
    prediction = found.summary["prediction"]
    assert isinstance(prediction, dict)
    assert prediction["serving"]["chat"]["kv_transfer"]["time_s"]["mean"][0] > 0  # type: ignore[index,call-overload]


def test_a_large_fleet_is_cut_down_in_both_pools() -> None:
    scenario = disaggregated(
        duration="1000 s",
        cluster__num_nodes=16,
        serving__chat__num_replicas=16,
        serving__chat__prefill={"num_replicas": 16},
        serving__chat__traffic__arrivals={"policy": "poisson", "rate": "600 /s"},
        serving__chat__traffic__lengths={"policy": "fixed", "prompt": 10, "output": 4},
    )
    found = dcsim.run(scenario.replace({"duration": "20 s"}), num_processes=1)
    pilot = pilot_of(scenario, found.tables.replications[0])
    prefill = pilot.serving["chat"].prefill
    assert prefill is not None
    assert prefill.num_replicas * 16 == pilot.cluster.num_nodes * 16
    assert pilot.serving["chat"].num_replicas == prefill.num_replicas


def test_no_closed_form_pretends_to_cover_it() -> None:
    with pytest.raises(ScenarioError, match=r"chat\.prefill: no closed form covers prefill replicas"):
        dcsim.estimate(disaggregated())


def test_prefill_replicas_hold_nodes_and_stand_before_the_next_workload() -> None:
    """Two decode replicas on node 0, two for prefill on node 1; another model follows on node 2."""
    other = {**tiny().document["serving"]["chat"], "num_replicas": 8}  # type: ignore[index]
    jobs = {"arrivals": {"policy": "poisson", "rate": "1 /h", "duration_mean": "1 min"}}
    found = run(disaggregated(cluster__num_nodes=4, serving__other=other, jobs=jobs), num_processes=1)
    held = found.tables.cluster("node_holdings")
    held = held[held["kind"] == "serving"]
    nodes = {name: sorted(set(group["node"])) for name, group in held.groupby("holder")}
    assert nodes == {"chat": [0, 1], "other": [2]}


def test_kv_transfers_contend_with_a_training_job_on_the_uplinks_of_a_leaf() -> None:
    """Prefill nodes 1 and 2 stand at two leaves; training, on nodes 3 and 4, crosses those of node 2."""
    leaves = {"topology": {"policy": "leaf_spine", "hosts_per_leaf": 2}, "oversubscription": 8}
    training = {
        "pretrain": {
            "model": "llama-3.1-8b",
            "num_nodes": 2,
            "batch": {"sequences": 64, "tokens": 4096},
            "tokens": 1e12,
        }
    }
    alone, beside = (
        run(
            disaggregated(
                duration="60 s",
                cluster__num_nodes=6,
                cluster__fabric=leaves,
                serving__chat__prefill={"num_replicas": 4},
                serving__chat__traffic__lengths={"policy": "fixed", "prompt": 4000, "output": 20},
                serving__chat__traffic__arrivals={"policy": "poisson", "rate": "10 /s"},
                **more,
            ),
            num_processes=1,
        )
        for more in ({}, {"training": training})
    )
    times_s = [chat(one)["kv_transfer"]["time_s"]["mean"] for one in (alone, beside)]
    assert chat(alone)["kv_transfer"]["num_transfers"] == chat(beside)["kv_transfer"]["num_transfers"]
    assert times_s[1] > 1.03 * times_s[0]
