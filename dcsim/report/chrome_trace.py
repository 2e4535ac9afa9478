"""A trace for ui.perfetto.dev: steps and spans of training as slices, requests and jobs as nested spans.

The events follow Google's "Trace Event Format": complete events (X) for steps, nestable asynchronous
events (b, e) for requests, counters (C) for the queue and the KV blocks, metadata (M) for names; times
are microseconds.
"""

from __future__ import annotations

import gzip
import json
import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TextIO

from dcsim.errors import Problem, ScenarioError
from dcsim.report.cluster_trace import cluster_events
from dcsim.report.trace_events import (
    Event,
    Track,
    counter_event,
    name_event,
    slice_event,
    span_events,
)
from dcsim.tables import RequestStatus, RunTables, ServingTables, Table

TRACE_SUFFIXES = (".json", ".json.gz")
_COUNTERS = {"waiting": "num_waiting", "KV blocks": "num_used_blocks"}


def write_chrome_trace(file: str | Path, tables: Mapping[str, ServingTables]) -> None:
    """Write one replication's trace, compressed if its name ends in .gz; it appears whole or not at all.

    Raises ScenarioError if it cannot be written.
    """
    path = Path(file)
    hidden = path.with_name(f".{path.name}.dcsim-unfinished-{os.getpid()}")
    try:
        try:
            with _opened(hidden, is_compressed=path.suffix == ".gz") as stream:
                _write(stream, tables)
            hidden.replace(path)
        finally:
            hidden.unlink(missing_ok=True)
    except OSError as error:
        message = f"cannot be written: {error.strerror or error}"
        raise ScenarioError(Problem(file=str(path), message=message, remedy="Choose another file")) from error


def _opened(path: Path, *, is_compressed: bool) -> TextIO:
    return gzip.open(path, "wt", encoding="utf-8") if is_compressed else path.open("w", encoding="utf-8")


def _write(file: TextIO, tables: Mapping[str, ServingTables]) -> None:
    file.write('{"displayTimeUnit": "ms", "traceEvents": [\n')
    separator = ""
    for event in trace_events(tables):
        file.write(separator + json.dumps(event))
        separator = ",\n"
    file.write("\n]}\n")


def trace_events(tables: Mapping[str, ServingTables]) -> Iterator[Event]:
    """The events of one replication: two processes for each workload, one of engines and one of requests,
    and one for each kind of thing that the cluster does beside serving.
    """
    for number, (workload, own) in enumerate(tables.items()):
        engines, requests = 2 * number + 1, 2 * number + 2
        yield name_event("process_name", Track(engines), f"{workload}: engines")
        yield name_event("process_name", Track(requests), f"{workload}: requests")
        yield from _step_events(own, engines)
        yield from _request_events(own, requests)
    if isinstance(tables, RunTables):
        yield from cluster_events(tables.cluster, tables.ended_at_s, 2 * len(tables) + 1)


def _step_events(own: ServingTables, process: int) -> Iterator[Event]:
    steps, transfers = own.steps, own.kv_transfers
    roles = dict.fromkeys(transfers["from_engine"].tolist(), " (prefill)")
    roles |= dict.fromkeys(transfers["to_engine"].tolist(), " (decode)")
    for engine in sorted({int(one) for one in steps["engine"]}):
        yield name_event("thread_name", Track(process, engine), f"engine {engine}{roles.get(engine, '')}")
    hidden = ("engine", "started_at_s", "duration_s")
    for row in _rows(steps):
        track, started_at_s = Track(process, int(row["engine"])), row["started_at_s"]
        args = {key: value for key, value in row.items() if key not in hidden}
        yield slice_event(track, "steps", _step_name(row), (started_at_s, row["duration_s"]), args)
        for counter, key in _COUNTERS.items():
            name = f"{counter}, engine {track.row}"
            yield counter_event(track, name, started_at_s, {counter: row[key]})


def _step_name(row: Mapping[str, float]) -> str:
    if row["num_prefill_chunks"]:
        return "prefill + decode" if row["num_decodes"] else "prefill"
    return "decode" if row["num_steps"] == 1 else f"decode × {row['num_steps']}"


def _request_events(own: ServingTables, process: int) -> Iterator[Event]:
    ended_at_s, transfers = own.ended_at_s, {int(row["request"]): row for row in _rows(own.kv_transfers)}
    for number, row in enumerate(_rows(own.requests)):
        status = RequestStatus(int(row["status"]))
        end_s = ended_at_s if math.isnan(row["finished_at_s"]) else row["finished_at_s"]
        if status is RequestStatus.REJECTED:
            end_s = row["arrived_at_s"]
        args = {
            "status": status.name.lower(),
            "replica": row["replica"],
            "prompt tokens": row["num_prompt_tokens"],
            "output tokens": row["num_generated_tokens"],
            "cached tokens": row["num_cached_tokens"],
            "preemptions": row["num_preemptions"],
        }
        spans = [(f"request {number}", row["arrived_at_s"], end_s, args)]
        marks = [row["arrived_at_s"], row["scheduled_at_s"], row["first_token_at_s"], end_s]
        for name, start_s, stop_s in zip(("queued", "prefill", "decode"), marks, marks[1:], strict=False):
            if not math.isnan(start_s):
                spans.append((name, start_s, end_s if math.isnan(stop_s) else stop_s, {}))
        if number in transfers:
            spans[-1:] = _transfer_spans(transfers[number], end_s)
        for name, start_s, stop_s, about in spans:
            yield from span_events(Track(process), "requests", number, name, (start_s, stop_s), about)


def _transfer_spans(row: Mapping[str, float], end_s: float) -> Iterator[tuple[str, float, float, Event]]:
    """What follows the first token of a request that goes to another replica, in place of its decode."""
    about: Event = {"bytes": row["num_bytes"]}
    about |= {"from engine": row["from_engine"], "to engine": row["to_engine"]}
    marks = [row["prefilled_at_s"], row["started_at_s"], row["ended_at_s"], row["decoding_at_s"], end_s]
    names = ("wait for room", "KV transfer", "wait for a step", "decode")
    for name, start_s, stop_s in zip(names, marks, marks[1:], strict=False):
        if not math.isnan(start_s):
            yield name, start_s, end_s if math.isnan(stop_s) else stop_s, about if "KV" in name else {}


def _rows(table: Table) -> Iterator[dict[str, float]]:
    """The table row by row, as plain numbers."""
    names = list(table.columns)
    for values in zip(*(table[name].tolist() for name in names), strict=True):
        yield dict(zip(names, values, strict=True))
