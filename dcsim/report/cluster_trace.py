"""The trace of what the cluster does beside serving: spans of training, jobs, failures, stores, transfers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

from dcsim.report.node_trace import node_events
from dcsim.report.trace_events import (
    Event,
    Track,
    counter_event,
    name_event,
    slice_event,
    span_events,
    table_rows,
)
from dcsim.tables import Table
from dcsim.tables.jobs import JobReason, JobStatus
from dcsim.tables.storage import StorageOperation

_Row: TypeAlias = Mapping[str, object]
_POOL_COUNTERS = {
    "accelerators": ("num_used", "num_free", "num_away"),
    "jobs": ("num_running", "num_waiting"),
}


def cluster_events(tables: Mapping[str, Table], ended_at_s: float, first_process: int) -> Iterator[Event]:
    """Events of one replication: a process for each kind of thing. What has no end ends with the run."""
    parts: dict[str, tuple[str, Callable[[Mapping[str, Table], float, int], Iterator[Event]]]] = {
        "training_spans": ("training", _training),
        "jobs": ("scheduled jobs", _jobs),
        "failures": ("failures", _failures),
        "storage_operations": ("storage", _storage),
        "transfers": ("fabric", _fabric),
    }
    process = first_process
    for table, (title, events) in parts.items():
        if table in tables:
            yield name_event("process_name", Track(process), title)
            yield from events(tables, ended_at_s, process)
            process += 1
    if "node_holdings" in tables:
        yield from node_events(tables["node_holdings"], process)


def _training(tables: Mapping[str, Table], ended_at_s: float, process: int) -> Iterator[Event]:
    rows: dict[str, int] = {}
    for span in table_rows(tables["training_spans"]):
        job = str(span["job"])
        if job not in rows:
            rows[job] = len(rows)
            yield name_event("thread_name", Track(process, rows[job]), job)
        hidden = ("job", "kind", "started_at_s", "duration_s")
        args = {key: value for key, value in span.items() if key not in hidden}
        times = (_number(span, "started_at_s"), _number(span, "duration_s"))
        yield slice_event(Track(process, rows[job]), "training", str(span["kind"]), times, args)


def _jobs(tables: Mapping[str, Table], ended_at_s: float, process: int) -> Iterator[Event]:
    track = Track(process)
    for job in table_rows(tables["jobs"]):
        number, submitted_at_s = int(_number(job, "job")), _number(job, "submitted_at_s")
        status = JobStatus(int(_number(job, "status")))
        end_s = _end(job, "finished_at_s", ended_at_s)
        if status is JobStatus.INFEASIBLE:
            end_s = submitted_at_s
        args = {
            "status": status.name.lower(),
            "reason": JobReason(int(_number(job, "reason"))).text,
            "queue": job["queue"],
            "accelerators": job["num_accelerators"],
            "wait_s": job["wait_s"],
            "preemptions": job["num_preemptions"],
            "failures": job["num_failures"],
        }
        name = str(job["training"]) or f"job {number}"
        yield from span_events(track, "jobs", number, name, (submitted_at_s, end_s), args)
        started_at_s = _number(job, "started_at_s")
        waits = (submitted_at_s, end_s if math.isnan(started_at_s) else started_at_s)
        if waits[1] > waits[0]:
            yield from span_events(track, "jobs", number, "queued", waits, {})
        if not math.isnan(started_at_s):
            yield from span_events(track, "jobs", number, "started", (started_at_s, end_s), {})
    for state in table_rows(tables["pool"]) if "pool" in tables else ():
        for counter, names in _POOL_COUNTERS.items():
            values = {name.removeprefix("num_"): state[name] for name in names}
            yield counter_event(track, counter, _number(state, "started_at_s"), values)


def _failures(tables: Mapping[str, Table], ended_at_s: float, process: int) -> Iterator[Event]:
    for number, one in enumerate(table_rows(tables["failures"])):
        failed_at_s = _number(one, "failed_at_s")
        is_away = _number(one, "node") >= 0 and one["effect"] != "slow"
        end_s = _end(one, "repaired_at_s", ended_at_s if is_away else failed_at_s)
        args = {key: one[key] for key in ("component", "effect", "node", "num_nodes", "num_hit")}
        times = (failed_at_s, max(failed_at_s, min(end_s, ended_at_s)))
        yield from span_events(Track(process), "failures", number, str(one["cause"]), times, args)


def _storage(tables: Mapping[str, Table], ended_at_s: float, process: int) -> Iterator[Event]:
    for number, one in enumerate(table_rows(tables["storage_operations"])):
        kind = StorageOperation(int(_number(one, "operation"))).name.lower()
        times = (_number(one, "started_at_s"), _end(one, "finished_at_s", ended_at_s))
        args = {"store": one["store"], "operation": kind, "num_bytes": one["num_bytes"]}
        yield from span_events(
            Track(process), "storage", number, f"{one['store']}: {one['label']}", times, args
        )


def _fabric(tables: Mapping[str, Table], ended_at_s: float, process: int) -> Iterator[Event]:
    transfers = tables["transfers"]
    for number, one in enumerate(table_rows(transfers)):
        times = (_number(one, "started_at_s"), _end(one, "finished_at_s", ended_at_s))
        args = {key: one[key] for key in ("num_bytes", "num_flows", "stalled_s")}
        yield from span_events(Track(process), "transfers", number, str(one["label"]), times, args)
    outages = table_rows(tables["fabric_outages"]) if "fabric_outages" in tables else ()
    for number, one in enumerate(outages, start=len(transfers)):
        started_at_s = _number(one, "started_at_s")
        times = (started_at_s, started_at_s + _number(one, "duration_s"))
        args = {"num_cables": one["num_cables"]}
        yield from span_events(
            Track(process), "outages", number, f"{one['what']} out of service", times, args
        )


def _number(row: _Row, key: str) -> float:
    value = row[key]
    assert isinstance(value, int | float)
    return float(value)


def _end(row: _Row, key: str, otherwise_s: float) -> float:
    """An instant of a row; another where it never came."""
    at_s = _number(row, key)
    return otherwise_s if math.isnan(at_s) else at_s
