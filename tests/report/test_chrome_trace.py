import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from dcsim.errors import ScenarioError
from dcsim.report.chrome_trace import trace_events, write_chrome_trace
from dcsim.tables import PREEMPTIONS, REQUESTS, STEPS, Column, RequestStatus, ServingTables, Table


def table(columns: dict[str, Column], **values: list[float]) -> Table:
    num_rows = len(next(iter(values.values()), []))
    return Table(
        {name: np.array(values.get(name, [0] * num_rows), dtype=one.dtype) for name, one in columns.items()}
    )


def two_requests() -> ServingTables:
    nan = float("nan")
    return ServingTables(
        requests=table(
            REQUESTS,
            status=[RequestStatus.FINISHED, RequestStatus.UNFINISHED],
            arrived_at_s=[0.0, 1.0],
            scheduled_at_s=[0.5, nan],
            first_token_at_s=[1.0, nan],
            finished_at_s=[3.0, nan],
        ),
        steps=table(
            STEPS,
            engine=[0, 0],
            started_at_s=[0.5, 1.0],
            duration_s=[0.5, 2.0],
            num_steps=[1, 4],
            num_decodes=[0, 1],
            num_prefill_chunks=[1, 0],
        ),
        preemptions=table(PREEMPTIONS),
        ended_at_s=4.0,
    )


def test_slices_last_as_long_as_the_steps():
    slices = [event for event in trace_events({"chat": two_requests()}) if event["ph"] == "X"]
    assert [(event["ts"], event["dur"]) for event in slices] == [(0.5e6, 0.5e6), (1e6, 2e6)]
    assert [event["name"] for event in slices] == ["prefill", "decode × 4"]


def test_every_span_that_begins_also_ends_and_not_earlier():
    open_at = {}
    for event in trace_events({"chat": two_requests()}):
        key = (event.get("id"), event["name"], event["pid"])
        if event["ph"] == "b":
            open_at[key] = event["ts"]
        elif event["ph"] == "e":
            assert event["ts"] >= open_at.pop(key)
    assert not open_at


def test_the_phases_of_a_request_add_up_to_it():
    spans: dict[str, float] = {}
    for event in trace_events({"chat": two_requests()}):
        if event.get("id") == 0 and event["ph"] in "be":
            sign = 1.0 if event["ph"] == "e" else -1.0
            spans[str(event["name"])] = spans.get(str(event["name"]), 0.0) + sign * float(str(event["ts"]))
    assert spans.pop("request 0") == pytest.approx(sum(spans.values()))


@pytest.mark.parametrize("name", ["trace.json", "trace.json.gz"])
def test_the_file_is_json_compressed_on_demand(tmp_path: Path, name: str):
    write_chrome_trace(tmp_path / name, {"chat": two_requests()})
    raw = (tmp_path / name).read_bytes()
    text = gzip.decompress(raw) if name.endswith(".gz") else raw
    assert len(json.loads(text)["traceEvents"]) == len(list(trace_events({"chat": two_requests()})))
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_file_that_cannot_be_written_is_the_users_to_mend(tmp_path: Path):
    with pytest.raises(ScenarioError, match="cannot be written"):
        write_chrome_trace(tmp_path / "no" / "trace.json", {"chat": two_requests()})
