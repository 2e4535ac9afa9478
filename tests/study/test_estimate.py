"""Estimates against theory, and against the simulation, which they must follow at ordinary loads."""

import dataclasses
import json
from functools import cache
from time import perf_counter

import pytest

from dcsim.errors import InfeasibleError
from dcsim.formulas.engine.capacity import Bound
from dcsim.result import Result
from dcsim.spec.deployment import memory_fit
from dcsim.spec.loader import load
from dcsim.spec.scenario import Scenario
from dcsim.study.estimate import estimate
from dcsim.study.forecast import ServingForecast
from dcsim.study.gallery import gallery
from dcsim.study.run import run
from tests.study.scenarios_for_tests import tiny

RATE = "serving.chat.traffic.arrivals.rate"
SHORT = {"duration": "10 min", "warmup": "2 min", "replications": 1, "calibration_draws": 0}
EIGHT_B = {
    "cluster.node": "dgx-b200",
    "serving.chat.model": "llama-3.1-8b",
    "serving.chat.precision": "bf16",
    "serving.chat.scheduler": {"policy": "chunked_prefill"},
}
CASES = {
    "azure-conv": ("azure-conv", {}),
    "batch-limit-h200": ("batch-limit-h200", {}),
    "moe-closed-loop": ("moe-closed-loop", {}),
    "azure-conv at a tenth": ("azure-conv", {"serving.chat.traffic.arrivals": "2 /s"}),
    "azure-conv at two thirds": ("azure-conv", {"serving.chat.traffic.arrivals": "14 /s"}),
    "8b on B200": ("batch-limit-h200", {**EIGHT_B, "serving.chat.traffic.arrivals": "60 /s"}),
    "in step": (
        "azure-conv",
        {
            "serving.chat.traffic": {
                "arrivals": {"policy": "closed_loop", "concurrency": 64},
                "lengths": {"policy": "fixed", "prompt": 1000, "output": 200},
            }
        },
    ),
}
TOLERANCES = {"ttft_s": 0.10, "tpot_s": 0.06, "e2e_s": 0.06, "output_tokens_per_s": 0.05, "batch_size": 0.05}
CLUSTER_TOLERANCE = 0.05


def scenario_of(case: str) -> Scenario:
    name, settings = CASES[case]
    arrivals = settings.get("serving.chat.traffic.arrivals")
    poisson = {"serving.chat.traffic.arrivals": {"policy": "poisson", "rate": arrivals}} if arrivals else {}
    return load(gallery()[name], overrides={**SHORT, **settings, **poisson})


@cache
def simulated(case: str) -> Result:
    return run(scenario_of(case), num_processes=1)


def as_offered(case: str) -> Scenario:
    """The scenario at the rate that came in the simulation: an estimate is not held to its chance."""
    scenario, summary = scenario_of(case), simulated(case).summary
    (name,) = scenario.serving
    arrivals = scenario.serving[name].traffic.arrivals
    assert arrivals is not None
    if arrivals.mean_rate_per_s is None:
        return scenario
    rate_per_s = summary["serving"][name]["offered_requests_per_s"]
    return scenario.replace({f"serving.{name}.traffic.arrivals.rate": f"{rate_per_s} /s"})


def chat(**overrides: object) -> ServingForecast:
    return estimate(tiny(**overrides)).serving["chat"]


@pytest.mark.parametrize("case", CASES)
def test_the_estimate_follows_the_simulation(case):
    result, forecast = simulated(case), estimate(as_offered(case))
    (name,) = forecast.serving
    for key, tolerance in TOLERANCES.items():
        measured = result.summary["serving"][name][key]
        value = measured["mean"] if isinstance(measured, dict) else measured
        assert getattr(forecast.serving[name], key) == pytest.approx(value, rel=tolerance), key


@pytest.mark.parametrize("case", CASES)
def test_energy_and_cost_follow_the_simulation(case):
    summary, forecast = simulated(case).summary, estimate(as_offered(case))
    for section, keys in {
        "energy": ("it_j_per_output_token", "facility_j_per_output_token"),
        "cost": ("usd_per_million_output_tokens", "usd_per_million_total_tokens"),
        "carbon": ("kg_per_million_output_tokens",),
    }.items():
        for key in keys:
            expected = pytest.approx(summary[section][key], rel=CLUSTER_TOLERANCE)
            assert getattr(forecast, key) == expected, key


@pytest.mark.parametrize("rate", [0.01, 1.0, 20.0, 60.0])
def test_littles_law_holds(rate):
    found = chat(**{"serving__chat__traffic__arrivals__rate": f"{rate} /s"})
    assert found.num_outstanding == pytest.approx(found.requests_per_s * found.e2e_s)
    decode_s = found.e2e_s - found.ttft_s
    assert decode_s == pytest.approx((found.mean_output_tokens - 1.0) * found.tpot_s, rel=0.05)
    assert found.num_running <= found.num_outstanding


def test_tokens_are_conserved():
    found = chat()
    assert found.output_tokens_per_s == pytest.approx(4.0 * 40.0)
    assert found.prompt_tokens_per_s == pytest.approx(4.0 * 300.0)


def test_mean_lengths_are_exact_although_they_are_sampled():
    found = chat(serving__chat__traffic__lengths={"policy": "bootstrap", "rows": [[100, 10], [200, 30]]})
    assert (found.mean_prompt_tokens, found.mean_output_tokens) == pytest.approx((150.0, 20.0))


def test_everything_rises_with_the_rate():
    found = [chat(**{"serving__chat__traffic__arrivals__rate": f"{rate} /s"}) for rate in (1, 5, 20, 60)]
    for key in ("ttft_s", "tpot_s", "e2e_s", "batch_size", "kv_occupancy_frac", "utilization_frac"):
        values = [getattr(one, key) for one in found]
        assert values == sorted(values), key


def test_just_below_capacity_is_finite_and_just_above_is_not():
    capacity_per_s = chat().capacity_requests_per_s
    below, above = (
        chat(**{"serving__chat__traffic__arrivals__rate": f"{share * capacity_per_s} /s"})
        for share in (0.97, 1.03)
    )
    assert not below.is_overloaded
    assert below.e2e_s > 0.0
    assert above.is_overloaded
    assert (above.ttft_s, above.tpot_s, above.e2e_s, above.num_outstanding) == (None,) * 4
    assert above.requests_per_s == pytest.approx(capacity_per_s, rel=0.1)


def test_capacity_does_not_depend_on_the_rate():
    low, high = (chat(**{"serving__chat__traffic__arrivals__rate": rate}) for rate in ("1 /s", "40 /s"))
    assert low.capacity_requests_per_s == pytest.approx(high.capacity_requests_per_s)
    assert high.load_frac == pytest.approx(40.0 * low.load_frac)


def test_a_cap_on_sequences_binds():
    assert chat(serving__chat__scheduler={"max_num_seqs": 2}).bound_by is Bound.MAX_NUM_SEQS


def test_clients_offer_what_is_served():
    clients = {"serving__chat__traffic__arrivals": {"policy": "closed_loop", "concurrency": 16}}
    found = chat(**clients)
    assert found.offered_requests_per_s == found.requests_per_s
    assert found.num_outstanding == pytest.approx(16.0)
    assert not found.is_overloaded


def test_without_requests_the_cluster_idles():
    pause = {
        "policy": "rate_stages",
        "stages": [{"rate": 0, "duration": "1 h"}, {"rate": "1 /s", "duration": "1 h"}],
    }
    forecast = estimate(tiny(serving__chat__traffic__arrivals=pause))
    one = forecast.serving["chat"]
    assert (one.requests_per_s, one.load_frac, forecast.it_j_per_output_token) == (0.0, 0.0, None)
    assert one.e2e_s > 0.0  # what a first request would take


def test_a_burst_has_a_throughput_and_no_latency():
    found = chat(serving__chat__traffic__arrivals={"policy": "burst", "num_requests": 100_000})
    assert found.is_overloaded
    assert (found.offered_requests_per_s, found.load_frac, found.e2e_s) == (None, None, None)
    assert found.requests_per_s == pytest.approx(found.saturated_requests_per_s)


def test_a_shared_prefix_in_the_cache_spares_work():
    prefix = {"serving__chat__traffic__shared_prefix": {"tokens": 256}}
    with_cache, without = (
        chat(**prefix, serving__chat__kv_cache={"prefix_caching": on}) for on in (True, False)
    )
    assert with_cache.ttft_s < without.ttft_s
    assert with_cache.capacity_requests_per_s > without.capacity_requests_per_s


def test_requests_that_are_too_long_are_not_served():
    rows = {"policy": "bootstrap", "rows": [[100, 40], [5000, 40]]}
    found = chat(serving__chat__traffic__lengths=rows, serving__chat__max_model_len=1000)
    assert found.mean_prompt_tokens == pytest.approx(100.0)
    assert found.requests_per_s == pytest.approx(2.0, rel=0.05)
    with pytest.raises(InfeasibleError, match="every request is longer"):
        chat(serving__chat__traffic__lengths=rows, serving__chat__max_model_len=100)


def test_without_facility_and_economics_there_is_no_cost():
    forecast = estimate(tiny(facility=None, economics=None))
    assert (forecast.facility_w, forecast.usd_per_yr, forecast.kg_per_million_output_tokens) == (None,) * 3
    assert forecast.it_w > 0.0


def test_two_workloads_share_the_cost_of_one_cluster():
    one = tiny()
    both = load({**one.document, "serving": dict.fromkeys("ab", one.document["serving"]["chat"])})
    alone, shared = estimate(one), estimate(both)
    assert shared.serving["a"] == shared.serving["b"] == alone.serving["chat"]
    assert shared.usd_per_million_output_tokens < 0.6 * alone.usd_per_million_output_tokens


def test_what_cannot_be_is_infeasible_and_its_memory_can_still_be_shown():
    too_large = tiny(serving__chat__model="llama-3.1-405b")
    with pytest.raises(InfeasibleError, match="does not fit"):
        estimate(too_large)
    fit = memory_fit(too_large, "chat")
    assert fit.kv_bytes < 0.0
    assert fit.weight_bytes > fit.capacity_bytes


def test_a_forecast_is_plain_data():
    forecast = estimate(tiny())
    assert json.loads(json.dumps(dataclasses.asdict(forecast)))["serving"]["chat"]["bound_by"] in set(Bound)


def test_an_estimate_is_instant():
    scenario = tiny()
    estimate(scenario)
    started = perf_counter()
    estimate(scenario)
    assert perf_counter() - started < 0.5  # some milliseconds on a machine that does nothing else
