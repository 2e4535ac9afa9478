import numpy as np
import pytest

from dcsim.metrics.window import NUM_BINS, Window, joint_window, measured_window
from tests.metrics.by_hand import requests, scenario, served, serving_tables, steps

TABLES = serving_tables(requests(served(0.0), served(7.0)), steps({"started_at_s": 0.0, "duration_s": 12.0}))


def test_the_window_runs_from_the_warmup_to_the_duration():
    assert measured_window(scenario(warmup="2 s"), "chat", TABLES) == Window(2.0, 10.0)


def test_a_number_of_requests_ends_the_window_with_the_last_arrival():
    given = scenario(serving__chat__traffic__num_requests=2)
    assert measured_window(given, "chat", TABLES) == Window(0.0, 7.0)


def test_a_number_of_requests_that_the_duration_cuts_short_does_not_end_the_window():
    given = scenario(serving__chat__traffic__num_requests=3)
    assert measured_window(given, "chat", TABLES) == Window(0.0, 10.0)


@pytest.mark.parametrize(("instants", "ended_at_s"), [((0, 14), 7.0), ((0, 14, 100), 10.0)])
def test_a_trace_that_goes_on_is_measured_until_the_duration(tmp_path, instants, ended_at_s):
    rows = "".join(f"{instant},10,10\n" for instant in instants)
    (tmp_path / "trace.csv").write_text(f"arrived_at_s,num_prompt_tokens,num_output_tokens\n{rows}")
    trace = {"path": str(tmp_path / "trace.csv"), "rate_scale": 2.0}
    given = scenario(serving__chat__traffic={"trace": trace})
    assert measured_window(given, "chat", TABLES) == Window(0.0, ended_at_s)


@pytest.mark.parametrize(
    "traffic",
    [
        {"arrivals": {"policy": "burst"}, "num_requests": 2},
        {"arrivals": {"policy": "burst", "num_requests": 2}},
    ],
)
def test_a_burst_is_measured_until_the_work_is_done_wherever_its_number_stands(traffic):
    overrides = {f"serving__chat__traffic__{key}": value for key, value in traffic.items()}
    at_once = serving_tables(requests(served(0.0), served(0.0)), TABLES.steps)
    assert measured_window(scenario(duration="1 h", **overrides), "chat", at_once) == Window(0.0, 12.0)


@pytest.mark.parametrize(("duration", "ended_at_s"), [("1 h", 8.0), ("6 s", 6.0)])
def test_the_last_stage_ends_the_window(duration, ended_at_s):
    stages = [{"rate": "1 /s", "duration": "5 s"}, {"rate": "2 /s", "duration": "3 s"}]
    given = scenario(
        serving__chat__traffic__arrivals={"policy": "rate_stages", "stages": stages}, duration=duration
    )
    assert measured_window(given, "chat", TABLES) == Window(0.0, ended_at_s)


def test_requests_that_all_arrive_at_once_are_measured_until_the_work_is_done():
    given = scenario(serving__chat__traffic__num_requests=2)
    at_once = serving_tables(requests(served(0.0), served(0.0)), TABLES.steps, ended_at_s=99.0)
    assert measured_window(given, "chat", at_once) == Window(0.0, 12.0)


def test_a_stretch_of_time_counts_by_the_share_of_it_within_the_window():
    started_at_s, duration_s = np.array([0.0, 3.0, 8.0, 9.0, 4.0]), np.array([4.0, 1.0, 2.0, 5.0, 0.0])
    shares = Window(3.0, 9.0).share_within(started_at_s, duration_s)
    assert shares.tolist() == [0.25, 1.0, 0.5, 0.0, 0.0]


def test_bins_cover_the_window():
    window = Window(3.0, 9.0)
    assert window.bins(0, NUM_BINS) == window
    assert window.bins(0, 60).ended_at_s == pytest.approx(6.0)
    assert joint_window([window, Window(1.0, 4.0)]) == Window(1.0, 9.0)
