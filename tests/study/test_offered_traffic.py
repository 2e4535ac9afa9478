"""What traffic offers: rates, clients and lengths, from policies and from traces."""

import os
from pathlib import Path

import pytest

from dcsim.errors import ScenarioError
from dcsim.plugins import policy_class
from dcsim.study.offered_traffic import OfferedTraffic, offered_traffic
from tests.study.scenarios_for_tests import tiny

TRAFFIC = "serving__chat__traffic"
LENGTHS = {
    "lognormal": {"prompt_mean": 600, "output_mean": 50, "cv": 1.1, "prompt_max": 2000, "output_max": 400},
    "quantiles": {"probabilities": [0, 0.5, 1], "prompt": [10, 100, 1000], "output": [1, 50, 200]},
    "bootstrap": {"rows": [[100, 10], [300, 30]]},
    "fixed": {"prompt": 300, "output": 40},
}


def offered(**overrides: object) -> OfferedTraffic:
    return offered_traffic(tiny(**overrides), "chat")


def trace(path: Path, rows: list[tuple[float, int, int]]) -> str:
    lines = ["arrived_at_s,num_prompt_tokens,num_output_tokens"]
    path.write_text("\n".join(lines + [",".join(map(str, row)) for row in rows]) + "\n")
    return str(path)


@pytest.mark.parametrize("policy", LENGTHS)
def test_sampled_lengths_are_those_of_the_policy(policy):
    options = LENGTHS[policy]
    means = policy_class("dcsim.workloads.lengths", policy).model_validate(options).mean_tokens
    found = offered(**{f"{TRAFFIC}__lengths": {"policy": policy, **options}})
    sampled = found.num_prompt_tokens.mean(), found.num_output_tokens.mean()
    assert found.mean_tokens == means
    assert sampled == pytest.approx(means, rel=0.05)  # four standard errors of 8192 lengths


def test_stages_count_as_far_as_they_are_measured():
    stages = [{"rate": "1 /s", "duration": "10 s"}, {"rate": "9 /s", "duration": "30 s"}]
    arrivals = {f"{TRAFFIC}__arrivals": {"policy": "rate_stages", "stages": stages}}
    assert offered(**arrivals, warmup="10 s").rate_per_s == pytest.approx(9.0)
    assert offered(**arrivals, duration="20 s").rate_per_s == pytest.approx(5.0)


def test_clients_and_bursts_have_no_rate():
    clients = offered(**{f"{TRAFFIC}__arrivals": {"policy": "closed_loop", "concurrency": 8}})
    burst = offered(**{f"{TRAFFIC}__arrivals": {"policy": "burst", "num_requests": 50}})
    assert (clients.rate_per_s, clients.num_clients) == (None, 8)
    assert (burst.rate_per_s, burst.num_clients, burst.num_requests) == (None, None, 50)


def test_a_trace_gives_its_mean_rate_and_lengths(tmp_path):
    path = trace(tmp_path / "trace.csv", [(0.5 * i, 100 + i, 10) for i in range(40)])
    found = offered(**{TRAFFIC: {"trace": {"path": path, "rate_scale": 2.0}}}, duration="5 s")
    assert found.rate_per_s == pytest.approx(4.0)
    assert found.num_prompt_tokens.mean() == pytest.approx(109.5)


def test_a_trace_is_read_again_when_it_has_changed(tmp_path):
    file = tmp_path / "trace.csv"
    rows = [(float(i), 100, 10) for i in range(20)]
    scenario = tiny(**{TRAFFIC: {"trace": trace(file, rows)}})
    before = offered_traffic(scenario, "chat").num_prompt_tokens.mean()
    trace(file, [(at_s, 900, 10) for at_s, _, _ in rows])
    os.utime(file, ns=(1, 1))
    assert (before, offered_traffic(scenario, "chat").num_prompt_tokens.mean()) == (100.0, 900.0)


def test_a_trace_of_one_instant_is_a_burst(tmp_path):
    path = trace(tmp_path / "trace.csv", [(0.0, 100, 10)] * 5)
    found = offered(**{TRAFFIC: {"trace": path}})
    assert (found.rate_per_s, found.num_requests) == (None, 5)


def test_where_a_trace_has_a_gap_nothing_comes(tmp_path):
    path = trace(tmp_path / "trace.csv", [(0.0, 100, 10), (100.0, 300, 10)])
    found = offered(**{TRAFFIC: {"trace": path}}, warmup="5 s", duration="50 s")
    assert (found.rate_per_s, found.mean_tokens) == (0.0, (200.0, 10.0))


def test_a_bad_trace_is_a_mistake_of_the_scenario(tmp_path):
    path = trace(tmp_path / "trace.csv", [(0.0, 0, 10)])
    with pytest.raises(ScenarioError, match=r"trace\.csv"):
        offered(**{TRAFFIC: {"trace": path}})
