"""What YAML can ask for reaches the simulation: each feature shows in the tables of a run."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pandas
import pytest

from dcsim.plugins import policy_names
from dcsim.result import Result
from dcsim.study.run import run
from dcsim.tables import RequestStatus, Table
from tests.study.scenarios_for_tests import tiny

ARRIVALS = {
    "burst": {"num_requests": 40},
    "closed_loop": {"concurrency": 4},
    "constant": {"rate": "4 /s"},
    "cox_ou": {"rate": "4 /s", "fluctuations": [{"sd": 0.3, "relaxation_time": "5 s"}]},
    "gamma": {"rate": "4 /s", "cv": 2},
    "on_off_bursts": {
        "off": {"median": "1 s", "log_sd": 0.3, "min": "100 ms", "max": "5 s"},
        "burst_size": {"median": 5, "log_sd": 0.3, "max": 20},
        "burst_rate": {"median": "10 /s", "log_sd": 0.3},
        "burst_cv": 1,
    },
    "poisson": {"rate": "4 /s"},
    "rate_stages": {"stages": [{"rate": "2 /s", "duration": "5 s"}, {"rate": "8 /s", "duration": "5 s"}]},
}
LENGTHS = {
    "bootstrap": {"rows": [[300, 40], [100, 10]]},
    "fixed": {"prompt": 300, "output": 40},
    "lognormal": {"prompt_mean": 300, "output_mean": 40, "cv": 1},
    "quantiles": {"probabilities": [0, 0.5, 1], "prompt": [10, 200, 900], "output": [1, 30, 90]},
}
ROWS = [(0.0, 300, 10), (0.5, 200, 20), (2.0, 100, 30)]
TRACES = ("azure_llm_2023", "csv", "parquet")


def simulated(**overrides: object) -> Result:
    return run(tiny(**overrides), num_processes=1)


def requests(**overrides: object) -> Table:
    return simulated(**overrides).tables.replications[0]["chat"].requests


def num_with(status: RequestStatus, table: Table) -> int:
    return int(np.count_nonzero(table["status"] == status))


@pytest.mark.parametrize(
    ("policies", "package"),
    [(ARRIVALS, "workloads.arrivals"), (LENGTHS, "workloads.lengths"), (TRACES, "workloads.traces")],
)
def test_every_policy_of_the_workloads_is_run_below(policies: object, package: str):
    assert set(policies) == set(policy_names(f"dcsim.{package}"))


@pytest.mark.parametrize("policy", ARRIVALS)
def test_requests_of_every_arrival_process_are_served(policy: str):
    served = requests(serving__chat__traffic__arrivals={"policy": policy, **ARRIVALS[policy]})
    assert len(served) > 15
    assert num_with(RequestStatus.FINISHED, served) == len(served)


def test_a_closed_loop_keeps_its_number_of_clients_busy():
    served = requests(serving__chat__traffic__arrivals={"policy": "closed_loop", "concurrency": 4})
    again = served["arrived_at_s"][4:]
    assert set(again) <= set(served["finished_at_s"])


def test_stages_change_the_rate():
    stages = [{"rate": "2 /s", "duration": "5 s"}, {"rate": "8 /s", "duration": "5 s"}]
    arrivals = {"policy": "rate_stages", "stages": stages, "counts": "exact"}
    at_s = requests(serving__chat__traffic__arrivals=arrivals)["arrived_at_s"].astype(float)
    assert np.histogram(at_s, [0, 5, 10, 20])[0].tolist() == [10, 40, 0]


@pytest.mark.parametrize("policy", LENGTHS)
def test_requests_of_every_length_distribution_are_served(policy: str):
    served = requests(serving__chat__traffic__lengths={"policy": policy, **LENGTHS[policy]})
    assert num_with(RequestStatus.FINISHED, served) == len(served) > 40
    np.testing.assert_array_equal(served["num_generated_tokens"], served["num_output_tokens"])


def write_trace(format_name: str, folder: Path) -> Path:
    """The rows in one of the formats."""
    path = folder / f"trace.{'parquet' if format_name == 'parquet' else 'csv'}"
    names = ("arrived_at_s", "num_prompt_tokens", "num_output_tokens")
    if format_name == "parquet":
        pandas.DataFrame(ROWS, columns=names).to_parquet(path)
        return path
    rows: list[tuple[object, ...]] = [names, *ROWS]
    if format_name == "azure_llm_2023":
        rows = [("TIMESTAMP", "ContextTokens", "GeneratedTokens")]
        rows += [(f"2023-11-16 18:15:4{at_s:.7f}", *counts) for at_s, *counts in ROWS]
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    return path


@pytest.mark.parametrize("format_name", TRACES)
@pytest.mark.parametrize("is_named", [True, False])
def test_every_trace_is_replayed_as_recorded(format_name: str, is_named: bool, tmp_path: Path):
    trace = {"path": str(write_trace(format_name, tmp_path))}
    if is_named:
        trace["format"] = format_name
    served = requests(serving__chat__traffic={"trace": trace}, duration=None)
    names = ("arrived_at_s", "num_prompt_tokens", "num_output_tokens")
    assert list(zip(*(served[name].tolist() for name in names), strict=True)) == ROWS


@pytest.mark.parametrize("router", policy_names("dcsim.policies.routers"))
def test_every_router_uses_every_replica(router: str):
    served = requests(serving__chat__num_replicas=4, serving__chat__router=router)
    assert set(served["replica"].tolist()) == {0, 1, 2, 3}


@pytest.mark.parametrize(
    ("scheduler", "mixes_prompts_and_decodes", "most_tokens"),
    [("chunked_prefill", True, 128), ("sarathi", True, 128), ("prefill_first", False, 300)],
)
def test_every_scheduler_composes_its_own_steps(
    scheduler: str, mixes_prompts_and_decodes: bool, most_tokens: int
):
    options = {"policy": scheduler, "max_num_batched_tokens": 128, "max_num_seqs": 64}
    steps = simulated(serving__chat__scheduler=options).tables.replications[0]["chat"].steps
    has_both = (steps["num_prefill_tokens"] > 0) & (steps["num_decodes"] > 0)
    assert has_both.any() == mixes_prompts_and_decodes
    assert (steps["num_prefill_tokens"] + steps["num_decodes"]).max() == most_tokens


def test_tensor_parallelism_shortens_a_decode_step_and_a_pipeline_has_lanes():
    plain, tensor = (simulated(serving__chat__parallelism={"tensor": size}) for size in (1, 2))
    assert tensor.serving["chat"].tpot_s.mean.value < plain.serving["chat"].tpot_s.mean.value
    piped = simulated(serving__chat__parallelism={"pipeline": 2})
    assert set(piped.tables.replications[0]["chat"].steps["engine"].tolist()) == {0, 1}
    assert piped.serving["chat"].num_accelerators.value == 2


def test_experts_in_parallel_and_their_skew_change_the_time_of_a_step():
    mixtral = {"serving__chat__model": "mixtral-8x7b"}
    split = {**mixtral, "serving__chat__parallelism": {"tensor": 4, "expert": 4}}
    runs = (
        simulated(**{**mixtral, "serving__chat__parallelism": {"tensor": 4}}),
        simulated(**split),
        simulated(**split, serving__chat__expert_skew=1.0),
    )
    assert len({one.serving["chat"].tpot_s.mean.value for one in runs}) == 3


def test_a_shared_prefix_brings_the_first_token_forward_only_through_the_prefix_cache():
    lengths = {"policy": "fixed", "prompt": 4000, "output": 20}
    shared = {
        "serving__chat__traffic__lengths": lengths,
        "serving__chat__traffic__shared_prefix": {"tokens": 3200},
    }
    with_cache = simulated(**shared)
    without = simulated(**shared, serving__chat__kv_cache__prefix_caching=False)
    cached = with_cache.tables.replications[0]["chat"].requests["num_cached_tokens"]
    assert np.median(cached) == 3200
    assert with_cache.serving["chat"].ttft_s.p50.value < 0.5 * without.serving["chat"].ttft_s.p50.value


def test_narrower_datatypes_shorten_a_decode_step():
    times_s = [
        simulated(serving__chat__precision=name).serving["chat"].tpot_s.mean.value for name in ("bf16", "fp8")
    ]
    assert times_s[1] < 0.75 * times_s[0]


def test_few_blocks_preempt():
    crowd = {"policy": "burst", "num_requests": 60}
    table = requests(serving__chat__traffic__arrivals=crowd, serving__chat__kv_cache__num_blocks=200)
    assert table["num_preemptions"].sum() > 0
    assert num_with(RequestStatus.FINISHED, table) == 60


def test_queue_caps_timeouts_and_long_prompts_lose_requests():
    crowd = {
        "serving__chat__traffic__arrivals": {"policy": "burst", "num_requests": 60},
        "serving__chat__scheduler": {"max_num_seqs": 8},
    }
    capped = requests(**crowd, serving__chat__max_queue=16)
    impatient = requests(**crowd, serving__chat__request_timeout="1 s")
    mixed = {"policy": "bootstrap", "rows": [[300, 40], [1000, 40]]}
    long = requests(serving__chat__traffic__lengths=mixed, serving__chat__max_model_len=500)
    assert num_with(RequestStatus.REJECTED, capped) > 0
    assert num_with(RequestStatus.TIMED_OUT, impatient) > 0
    is_long = long["num_prompt_tokens"] == 1000
    np.testing.assert_array_equal(is_long, long["status"] == RequestStatus.REJECTED)


def test_site_and_price_book_decide_carbon_and_cost():
    here = simulated()
    there = simulated(facility={"site": "france", "pue": 1.5}, economics={"prices": "on-demand-2026"})
    assert there.energy.facility_j.value == pytest.approx(1.5 * there.energy.it_j.value)
    assert there.carbon.operational_kg.value < here.carbon.operational_kg.value
    assert (here.cost.kind, there.cost.kind) == ("owned", "on_demand")
