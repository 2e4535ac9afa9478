"""A trace for chrome://tracing or ui.perfetto.dev: engine steps as slices, requests as nested spans.

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
from dcsim.tables import RequestStatus, ServingTables, Table

TRACE_SUFFIXES = (".json", ".json.gz")
_US_PER_S = 1e6
Event = dict[str, object]


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
    """The events of one replication: two processes for each workload, one of engines and one of requests."""
    for number, (workload, own) in enumerate(tables.items()):
        engines, requests = 2 * number + 1, 2 * number + 2
        yield _name("process_name", engines, 0, f"{workload}: engines")
        yield _name("process_name", requests, 0, f"{workload}: requests")
        yield from _step_events(own.steps, engines)
        yield from _request_events(own.requests, requests, own.ended_at_s)


def _name(what: str, process: int, thread: int, name: str) -> Event:
    return {"ph": "M", "name": what, "pid": process, "tid": thread, "args": {"name": name}}


def _step_events(steps: Table, process: int) -> Iterator[Event]:
    for engine in sorted({int(one) for one in steps["engine"]}):
        yield _name("thread_name", process, engine, f"engine {engine}")
    for row in _rows(steps):
        common = {"pid": process, "tid": int(row["engine"])}
        start_us = row["started_at_s"] * _US_PER_S
        args = {
            key: value for key, value in row.items() if key not in ("engine", "started_at_s", "duration_s")
        }
        yield {
            "ph": "X",
            "name": _step_name(row),
            "cat": "steps",
            "ts": start_us,
            "dur": row["duration_s"] * _US_PER_S,
            "args": args,
            **common,
        }
        counts = {"waiting": row["num_waiting"], "KV blocks": row["num_used_blocks"]}
        for counter, value in counts.items():
            name = f"{counter}, engine {int(row['engine'])}"
            yield {"ph": "C", "name": name, "ts": start_us, "args": {counter: value}, **common}


def _step_name(row: Mapping[str, float]) -> str:
    if row["num_prefill_chunks"]:
        return "prefill + decode" if row["num_decodes"] else "prefill"
    return "decode" if row["num_steps"] == 1 else f"decode × {row['num_steps']}"


def _request_events(requests: Table, process: int, ended_at_s: float) -> Iterator[Event]:
    for number, row in enumerate(_rows(requests)):
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
        yield from _nested(spans, process, number)


def _nested(
    spans: list[tuple[str, float, float, dict[str, object]]], process: int, number: int
) -> Iterator[Event]:
    for name, start_s, end_s, args in spans:
        common: Event = {"name": name, "cat": "requests", "id": number, "pid": process, "tid": 0}
        yield {"ph": "b", "ts": start_s * _US_PER_S, "args": args, **common}
        yield {"ph": "e", "ts": end_s * _US_PER_S, **common}


def _rows(table: Table) -> Iterator[dict[str, float]]:
    """The table row by row, as plain numbers."""
    names = list(table.columns)
    for values in zip(*(table[name].tolist() for name in names), strict=True):
        yield dict(zip(names, values, strict=True))
