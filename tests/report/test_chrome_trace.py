import gzip
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from dcsim.errors import ScenarioError
from dcsim.report.chrome_trace import trace_events, write_chrome_trace
from dcsim.report.node_trace import MAX_NODES, node_events
from dcsim.study.run import run
from dcsim.tables import (
    PREEMPTIONS,
    REQUESTS,
    STEPS,
    Column,
    RequestStatus,
    RunTables,
    ServingTables,
    Table,
)
from dcsim.tables.holdings import NODE_HOLDINGS
from tests.study.scenarios_for_tests import small_cluster


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
            prefill_engine=[-1, -1],
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


@pytest.fixture(scope="module")
def cluster_tables() -> RunTables:
    return run(small_cluster(), num_processes=1).tables.replications[0]


def test_everything_beside_serving_is_in_the_trace(cluster_tables):
    events = list(trace_events(cluster_tables))
    titles = {event["args"]["name"] for event in events if event["name"] == "process_name"}
    assert titles == {"training", "scheduled jobs", "failures", "storage", "fabric", "nodes"}
    slices = [event for event in events if event["ph"] == "X" and event["cat"] == "training"]
    assert len(slices) == len(cluster_tables.cluster["training_spans"])
    jobs = [event for event in events if event["ph"] == "b" and str(event["name"]).startswith("job ")]
    assert len(jobs) == len(cluster_tables.cluster["jobs"])


def test_every_node_has_a_track_of_its_own_and_more_where_several_hold_it(cluster_tables):
    holdings = cluster_tables.cluster["node_holdings"]
    events = list(node_events(holdings, 0))
    names = {event["tid"]: event["args"]["name"] for event in events if event["name"] == "thread_name"}
    assert {name.split(" (")[0] for name in names.values()} == {f"node {one}" for one in holdings["node"]}
    slices = [event for event in events if event["ph"] == "X"]
    assert len(slices) == len(holdings)
    ends_us: dict[int, float] = {}
    for one in slices:  # in order of time on each track
        assert one["ts"] >= ends_us.get(one["tid"], 0.0) - 2.0
        ends_us[one["tid"]] = one["ts"] + one["dur"]


def test_tracks_of_nodes_are_no_more_than_can_be_looked_at():
    number = np.arange(1000)
    columns = {name: np.zeros(1000, dtype=column.dtype) for name, column in NODE_HOLDINGS.items()}
    columns |= {"node": number, "kind": np.full(1000, "spare", dtype=object)}
    events = list(node_events(Table(columns), 0))
    assert len([event for event in events if event["ph"] == "X"]) == MAX_NODES
    assert "256 of 1,000" in str(events[0])


def test_every_span_begins_once_and_ends_once_within_the_run(cluster_tables):
    depth: Counter[tuple[object, ...]] = Counter()
    ended_us = cluster_tables.ended_at_s * 1e6
    for event in trace_events(cluster_tables):
        if event["ph"] in ("b", "e"):
            depth[event["pid"], event["cat"], event["id"], event["name"]] += 1 if event["ph"] == "b" else -1
            assert 0.0 <= event["ts"] <= ended_us * (1 + 1e-9)
    assert set(depth.values()) == {0}


def test_the_trace_of_a_cluster_is_strict_json(tmp_path, cluster_tables):
    write_chrome_trace(tmp_path / "trace.json", cluster_tables)
    text = (tmp_path / "trace.json").read_text()
    assert "NaN" not in text
    assert "Infinity" not in text
    assert json.loads(text)["traceEvents"]
