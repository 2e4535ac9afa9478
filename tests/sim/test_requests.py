import math
from pathlib import Path

import numpy as np
import pytest

from dcsim.errors import ScenarioError
from dcsim.sim.requests import NO_PREFIX, generate
from dcsim.sim.streams import Streams
from dcsim.spec.traffic import Traffic

FIXED = {"policy": "fixed", "prompt": 100, "output": 10}
POISSON = {"policy": "poisson", "rate": "10 /s"}
LOGNORMAL = {"policy": "lognormal", "prompt_mean": 100, "output_mean": 50, "cv": 1}


def requests(traffic, duration_s=None, *, folder=Path(), seed=1):
    return generate(Traffic.model_validate(traffic), folder, duration_s, Streams(seed, 0), "chat")


@pytest.fixture
def trace(tmp_path):
    path = tmp_path / "trace.csv"
    rows = "".join(f"{10 * second},{second + 1},{second + 2}\n" for second in range(10))
    path.write_text("arrived_at_s,num_prompt_tokens,num_output_tokens\n" + rows)
    return path


def test_requests_end_with_the_duration_or_the_number_whichever_is_first():
    by_time = requests({"arrivals": POISSON, "lengths": FIXED}, 20.0)
    assert abs(len(by_time.arrived_at_s) - 200) < 4 * math.sqrt(200)
    by_number = requests({"arrivals": POISSON, "lengths": FIXED, "num_requests": 50}, 20.0)
    np.testing.assert_array_equal(by_number.arrived_at_s, by_time.arrived_at_s[:50])
    assert len(requests({"arrivals": POISSON, "lengths": FIXED, "num_requests": 50}).arrived_at_s) == 50


def test_the_same_seed_gives_the_same_requests_and_another_seed_others():
    traffic = {"arrivals": POISSON, "lengths": LOGNORMAL}
    first, again, other = (requests(traffic, 10.0, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.arrived_at_s, again.arrived_at_s)
    np.testing.assert_array_equal(first.num_prompt_tokens, again.num_prompt_tokens)
    assert first.arrived_at_s[0] != other.arrived_at_s[0]


def test_changing_the_lengths_leaves_the_arrivals_as_they_were():
    lognormal = requests({"arrivals": POISSON, "lengths": LOGNORMAL}, 10.0)
    fixed = requests({"arrivals": POISSON, "lengths": FIXED}, 10.0)
    np.testing.assert_array_equal(lognormal.arrived_at_s, fixed.arrived_at_s)


def test_shared_prefixes_are_drawn_with_equal_chance():
    prefix = {"tokens": 64, "variants": 4}
    stream = requests({"arrivals": POISSON, "lengths": FIXED, "shared_prefix": prefix}, 2000.0)
    counts = np.bincount(stream.prefix, minlength=4)
    num = len(stream.prefix)
    assert np.all(np.abs(counts - num / 4) < 4 * math.sqrt(num * 3 / 16))
    assert stream.num_prefix_tokens == 64


def test_without_a_shared_prefix_no_request_has_one():
    stream = requests({"arrivals": POISSON, "lengths": FIXED}, 2.0)
    assert set(stream.prefix.tolist()) == {NO_PREFIX}
    assert stream.num_prefix_tokens == 0


def test_a_closed_loop_looks_its_requests_up_by_number():
    traffic = {
        "arrivals": {"policy": "closed_loop", "concurrency": 8},
        "lengths": LOGNORMAL,
        "num_requests": 9000,
    }
    stream, again = requests(traffic), requests(traffic)
    assert (stream.concurrency, stream.max_requests, len(stream.arrived_at_s)) == (8, 9000, 0)
    in_order = [stream.lengths_for(number) for number in range(9000)]
    assert [again.lengths_for(number) for number in reversed(range(9000))] == in_order[::-1]
    assert len({tokens for tokens, _ in in_order}) > 1000


def test_a_burst_takes_its_number_from_either_place():
    for traffic in (
        {"arrivals": {"policy": "burst", "num_requests": 7}},
        {"arrivals": "burst", "num_requests": 7},
    ):
        assert requests({**traffic, "lengths": FIXED}).arrived_at_s.tolist() == [0.0] * 7


def test_stages_end_by_themselves():
    stages = {"policy": "rate_stages", "counts": "exact", "stages": [{"rate": "5 /s", "duration": "4 s"}]}
    assert len(requests({"arrivals": stages, "lengths": FIXED}).arrived_at_s) == 20


@pytest.mark.parametrize(
    ("arrivals", "duration_s", "message"),
    [
        (POISSON, None, "no end"),
        ("burst", 60.0, "no end. Give num_requests"),
        ({"policy": "closed_loop", "concurrency": 4}, None, "no end"),
        ({"policy": "poisson", "rate": "1e9 /s"}, 3600.0, "3.6e\\+12 requests"),
    ],
)
def test_traffic_without_end_or_without_measure_is_refused(arrivals, duration_s, message):
    with pytest.raises(ScenarioError, match=message):
        requests({"arrivals": arrivals, "lengths": FIXED}, duration_s)


def test_traffic_without_lengths_is_refused():
    with pytest.raises(ScenarioError, match="arrivals and lengths, or a trace"):
        requests({"arrivals": POISSON}, 1.0)


def test_a_trace_is_replayed_cut_at_the_duration_and_scaled(trace):
    whole = requests({"trace": str(trace)})
    assert whole.arrived_at_s.tolist() == [10.0 * second for second in range(10)]
    assert whole.num_output_tokens.tolist() == list(range(2, 12))
    assert len(requests({"trace": str(trace)}, 30.0).arrived_at_s) == 3
    assert len(requests({"trace": str(trace), "num_requests": 4}).arrived_at_s) == 4
    faster = requests({"trace": {"path": str(trace), "rate_scale": 2}}, 30.0)
    assert faster.arrived_at_s.tolist() == [0, 5, 10, 15, 20, 25]


def test_a_trace_is_found_beside_the_scenario_and_in_the_working_directory(trace, monkeypatch):
    assert len(requests({"trace": "trace.csv"}, folder=trace.parent).arrived_at_s) == 10
    monkeypatch.chdir(trace.parent)
    assert len(requests({"trace": "trace.csv"}, folder=Path("/")).arrived_at_s) == 10
    with pytest.raises(ScenarioError, match=r"none\.csv: no such file"):
        requests({"trace": "none.csv"}, folder=trace.parent)
