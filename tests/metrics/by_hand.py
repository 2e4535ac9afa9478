"""Scenarios and tables small enough to work out by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from dcsim.spec.loader import load
from dcsim.spec.scenario import Scenario
from dcsim.tables import PREEMPTIONS, REQUESTS, STEPS, Column, ServingTables, Table

NAN = float("nan")


def scenario(**overrides: object) -> Scenario:
    """One replica of a small model on one accelerator of one node; overrides are paths with __ for dots."""
    document = {
        "name": "by-hand",
        "duration": "10 s",
        "cluster": {"node": "dgx-h100", "num_nodes": 1},
        "serving": {
            "chat": {
                "model": "llama-3.1-8b",
                "engine": "vllm",
                "num_replicas": 1,
                "traffic": {
                    "arrivals": {"policy": "poisson", "rate": "1 /s"},
                    "lengths": {"policy": "fixed", "prompt": 10, "output": 10},
                },
            }
        },
    }
    return load(document, overrides={key.replace("__", "."): value for key, value in overrides.items()})


def table(
    columns: Mapping[str, Column], rows: Sequence[Mapping[str, float]], defaults: Mapping[str, float]
) -> Table:
    """A table from rows that name only what matters."""
    filled = [{**dict.fromkeys(columns, 0), **defaults, **row} for row in rows]
    return Table(
        {name: np.array([row[name] for row in filled], dtype=columns[name].dtype) for name in columns}
    )


def requests(*rows: Mapping[str, float]) -> Table:
    """Requests; instants left out are NaN, lengths 10."""
    instants = dict.fromkeys(("scheduled_at_s", "first_token_at_s", "finished_at_s"), NAN)
    return table(
        REQUESTS, rows, {**instants, "prefill_engine": -1, "num_prompt_tokens": 10, "num_output_tokens": 10}
    )


def steps(*rows: Mapping[str, float]) -> Table:
    """Steps; decodes have 100 tokens of context each."""
    filled = []
    for row in rows:
        decodes, tokens = row.get("num_decodes", 0), row.get("num_prefill_tokens", 0)
        prompt = (
            {"num_prefill_chunks": 1, "prefill_square": tokens**2, "prefill_context_tokens": tokens}
            if tokens
            else {}
        )
        filled.append({"decode_context_tokens": 100 * decodes, "num_sampled": decodes, **prompt, **row})
    return table(STEPS, filled, {"num_steps": 1})


def preemptions(*rows: Mapping[str, float]) -> Table:
    """Preemptions."""
    return table(PREEMPTIONS, rows, {"last_token_at_s": NAN, "next_token_at_s": NAN})


def serving_tables(
    request_rows: Table, step_rows: Table, preemption_rows: Table | None = None, *, ended_at_s: float = 10.0
) -> ServingTables:
    """The tables of one workload."""
    return ServingTables(request_rows, step_rows, preemption_rows or preemptions(), ended_at_s)


def served(
    arrived: float, wait: float = 0.0, ttft: float = 1.0, e2e: float = 5.0, **more: float
) -> dict[str, float]:
    """A finished request, by its latencies."""
    instants = {
        "scheduled_at_s": arrived + wait,
        "first_token_at_s": arrived + ttft,
        "finished_at_s": arrived + e2e,
    }
    return {"arrived_at_s": arrived, **instants, "num_generated_tokens": 10, **more}
