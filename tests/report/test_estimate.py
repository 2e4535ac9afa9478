import io

from rich.console import Console

from dcsim.report.estimate import show_forecast
from dcsim.study.estimate import estimate
from tests.study.scenarios_for_tests import tiny


def shown(**overrides: object) -> str:
    out, scenario = io.StringIO(), tiny(**overrides)
    show_forecast(Console(file=out, width=100), scenario, estimate(scenario))
    return out.getvalue()


def test_the_load_stands_first_and_every_unit_is_named():
    lines = shown().splitlines()
    assert lines[0] == "tiny"
    assert lines[1].startswith("chat: ")
    assert "% of capacity" in lines[1]
    for word in ("TTFT", "ms", "KV cache", "GB", "per M output tokens", "USD", "without a simulation"):
        assert word in "\n".join(lines)


def test_an_overloaded_workload_has_no_latencies():
    text = shown(serving__chat__traffic__arrivals__rate="5000 /s")
    assert "OVERLOADED" in text
    assert "TTFT" not in text


def test_a_burst_has_no_load():
    assert "at once" in shown(serving__chat__traffic__arrivals={"policy": "burst", "num_requests": 9})


def test_without_prices_there_is_no_table_of_cost():
    assert "USD" not in shown(economics=None)
