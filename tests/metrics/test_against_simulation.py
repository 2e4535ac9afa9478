"""What the metrics read from the steps must agree with what the requests say, on real runs."""

import numpy as np
import pytest

from dcsim.formulas.step_time import StepWork, step_time
from dcsim.metrics.pools import pools
from dcsim.metrics.request_view import view_requests
from dcsim.metrics.row_pass import read_rows
from dcsim.metrics.step_cost import CAUSES
from dcsim.metrics.window import Window
from dcsim.sim.simulation import simulate
from dcsim.spec.deployment import resolve_deployment
from dcsim.spec.serving import Slo
from dcsim.tables import RequestStatus
from tests.metrics.by_hand import scenario

LENGTHS = {"policy": "lognormal", "prompt_mean": 400, "output_mean": 60, "cv": 1.0}
RUNS = {
    "chunked": {"scheduler": "chunked_prefill"},
    "prefill-first": {"scheduler": "prefill_first"},
    "sarathi": {"scheduler": {"policy": "sarathi", "max_num_batched_tokens": 256, "max_num_seqs": 64}},
    "preempted": {"scheduler": "chunked_prefill", "kv_cache": {"num_blocks": 600}},
    "preempted-prefill-first": {"scheduler": "prefill_first", "kv_cache": {"num_blocks": 600}},
    "pipelined": {"scheduler": "chunked_prefill", "parallelism": {"pipeline": 2}},
    "three-replicas": {"num_replicas": 3},
    "disaggregated": {"prefill": {"num_replicas": 2}},
    "preempted-disaggregated": {"kv_cache": {"num_blocks": 600}, "prefill": {"num_replicas": 1}},
    "preempted-disaggregated-prefill-first": {
        "scheduler": "prefill_first",
        "kv_cache": {"num_blocks": 600},
        "prefill": {"num_replicas": 1, "parallelism": {"tensor": 2}, "kv_cache": {"num_blocks": 2000}},
    },
}


@pytest.fixture(scope="module", params=RUNS)
def run(request):
    options = {f"serving__chat__{key}": value for key, value in RUNS[request.param].items()}
    options["serving__chat__traffic"] = {
        "arrivals": {"policy": "poisson", "rate": "30 /s"},
        "lengths": LENGTHS,
    }
    given = scenario(duration="20 s", **options)
    served, tables = resolve_deployment(given, "chat"), simulate(given, 0)["chat"]
    window = Window(0.0, tables.ended_at_s)
    view = view_requests(tables.requests, window, served.request_overhead_s, Slo())
    return served, tables, window, read_rows(served, tables, view, window, window)


def test_all_requests_finish_and_some_are_preempted_where_blocks_are_short(run, request):
    _, tables, _, _ = run
    assert (tables.requests["status"] == RequestStatus.FINISHED).all()
    assert (len(tables.preemptions) > 0) == ("preempted" in request.node.callspec.id)


def test_the_gaps_between_tokens_add_up_to_the_time_between_first_and_last_token(run):
    _, tables, _, findings = run
    requests = tables.requests
    total_s = (requests["finished_at_s"] - requests["first_token_at_s"]).sum()
    num_gaps = (requests["num_output_tokens"] - 1).sum()
    assert findings.gaps._weights.sum() == pytest.approx(num_gaps, rel=1e-9)
    assert findings.gaps.figures()["mean"] == pytest.approx(total_s / num_gaps, rel=1e-9)


def test_the_parts_of_every_explanation_add_up_to_its_whole(run):
    _, _, _, findings = run
    for profile in findings.profiles.values():
        found = profile.figures()
        parts = [found["front_end_s"], found["queue_wait_s"], found["preemption_s"]]
        parts.append(found.get("kv_transfer_s", 0.0))
        parts += [found[phase][cause] for phase in ("prefill", "decode") for cause in CAUSES]
        parts.append(found["decode"]["interference_s"])
        assert sum(parts) == pytest.approx(found["total_s"], rel=1e-9)
        assert min(parts) >= -1e-12


def test_the_mean_explanation_is_of_the_mean_latencies(run):
    _, tables, _, findings = run
    found = findings.profiles["mean"].figures()
    requests = tables.requests
    assert found["total_s"] == pytest.approx((requests["finished_at_s"] - requests["arrived_at_s"]).mean())
    assert found["ttft_s"] == pytest.approx((requests["first_token_at_s"] - requests["arrived_at_s"]).mean())


def test_tokens_and_busy_time_are_conserved(run):
    served, tables, window, findings = run
    assert sum(sums.total("num_output_tokens") for sums in findings.sums) == pytest.approx(
        tables.requests["num_output_tokens"].sum()
    )
    busy_s = sum(sums.total("busy_s") for sums in findings.sums)
    assert busy_s == pytest.approx(tables.steps["duration_s"].sum())
    for pool, sums in zip(served.pools, findings.sums, strict=True):
        busy_s = sums.total("busy_s")
        assert busy_s <= pool.num_engines * window.duration_s * (1 + 1e-9)
        phases_s = sums.total("prefill_accelerator_s") + sums.total("decode_accelerator_s")
        assert phases_s == pytest.approx(busy_s * pool.accelerators_per_replica / pool.num_lanes)


def test_the_cost_of_rows_reproduces_the_simulated_durations(run):
    served, tables, _, _ = run
    for pool in pools(served):
        chosen = (tables.steps["engine"] >= pool.engines.start) & (tables.steps["engine"] < pool.engines.stop)
        steps = {name: values[chosen] for name, values in tables.steps.columns.items()}
        assert_durations_are_those_of_the_formulas(pool.served.deployment, steps)


def assert_durations_are_those_of_the_formulas(deployment, steps):
    decodes = steps["num_decodes"].astype(float)
    work = StepWork(
        num_tokens=decodes + steps["num_prefill_tokens"],
        num_decodes=decodes,
        decode_context_tokens=steps["decode_context_tokens"] + decodes * (steps["num_steps"] - 1) / 2,
        num_prefill_chunks=steps["num_prefill_chunks"].astype(float),
        prefill_pairs=steps["prefill_pairs"],
        prefill_square=steps["prefill_square"],
        prefill_context_tokens=steps["prefill_context_tokens"].astype(float),
        num_sampled=steps["num_sampled"].astype(float),
    )
    expected_s = step_time(deployment, work).total_s * steps["num_steps"]
    # between the contexts at which attention was measured, the engine takes straight lines
    np.testing.assert_allclose(steps["duration_s"], expected_s, rtol=5e-3)


def test_a_chunk_boundary_changes_nothing(run, monkeypatch):
    served, tables, window, findings = run
    monkeypatch.setattr("dcsim.metrics.step_rows.CHUNK_ROWS", 7)
    view = view_requests(tables.requests, window, served.request_overhead_s, Slo())
    again = read_rows(served, tables, view, window, window)
    assert again.gaps.figures() == pytest.approx(findings.gaps.figures(), rel=1e-9)
    for name, profile in findings.profiles.items():
        assert again.profiles[name].decode_s == pytest.approx(profile.decode_s, rel=1e-9)
