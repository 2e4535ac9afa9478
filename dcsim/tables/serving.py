"""Tables of a serving workload: requests, engine steps, preemptions, KV transfers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from dcsim.tables.table import Column, Table, empty_table


class RequestStatus(IntEnum):
    """How a request ended."""

    FINISHED = 0
    REJECTED = 1  # the queue was full, or the request longer than max_model_len or the KV cache
    TIMED_OUT = 2
    UNFINISHED = 3  # the simulation ended first


REQUESTS: Mapping[str, Column] = {
    "replica": Column(
        "i4",
        "",
        "replica that served the request, those for prefill numbered after those that decode; -1 if there "
        "was none",
    ),
    "engine": Column("i4", "", "engine (replica x pipeline lane) that served it; -1 if there was none"),
    "prefill_engine": Column(
        "i4", "", "engine that computed its prompt for another to decode; -1 without prefill replicas"
    ),
    "status": Column("i1", "", "0 finished, 1 rejected, 2 timed out, 3 unfinished"),
    "arrived_at_s": Column("f8", "s", "arrival at the front door"),
    "scheduled_at_s": Column("f8", "s", "start of the first engine step that worked on it; NaN if none did"),
    "first_token_at_s": Column("f8", "s", "end of the step that produced its first token; NaN if none did"),
    "finished_at_s": Column(
        "f8", "s", "end of the step that produced its last token, or when it timed out; NaN if unfinished"
    ),
    "num_prompt_tokens": Column("i4", "tokens", "prompt length"),
    "num_output_tokens": Column("i4", "tokens", "output length asked for"),
    "num_generated_tokens": Column("i4", "tokens", "output tokens produced"),
    "num_cached_tokens": Column(
        "i4", "tokens", "prompt tokens found in the prefix cache when first scheduled"
    ),
    "num_preemptions": Column("i4", "", "times it was preempted"),
}

STEPS: Mapping[str, Column] = {
    "engine": Column("i4", "", "engine (replica x pipeline lane) that ran the steps"),
    "started_at_s": Column("f8", "s", "start of the first of the steps"),
    "duration_s": Column("f8", "s", "time all the steps of the row took together, back to back"),
    "num_steps": Column("i4", "", "engine steps in this row: the batch did not change during them"),
    "num_decodes": Column("i4", "", "sequences that computed one token in every step"),
    "decode_context_tokens": Column(
        "i8", "tokens", "sum over decodes of the context attended to, in the first step of the row"
    ),
    "num_prefill_tokens": Column(
        "i4", "tokens", "prompt tokens computed (rows with prefill have num_steps = 1)"
    ),
    "num_prefill_chunks": Column("i4", "", "prompt chunks in the step"),
    "prefill_pairs": Column(
        "f8", "tokens^2", "sum over chunks of chunk x cached: query-key pairs with earlier tokens"
    ),
    "prefill_square": Column(
        "f8", "tokens^2", "sum over chunks of chunk x chunk: query-key pairs among new tokens, causal or not"
    ),
    "prefill_context_tokens": Column(
        "i8", "tokens", "sum over chunks of cached + chunk: keys and values read"
    ),
    "num_sampled": Column(
        "i4", "", "sequences that produced a token in every step: decodes and finished prompts"
    ),
    "num_used_blocks": Column(
        "i4",
        "",
        "KV blocks held by running requests at the end of the row, before finished ones free theirs, and by "
        "KV caches on their way",
    ),
    "num_waiting": Column(
        "i4", "", "requests waiting at the start of the row, after those it admits have left the queue"
    ),
}

PREEMPTIONS: Mapping[str, Column] = {
    "request": Column("i8", "", "row of the request in the table requests"),
    "engine": Column("i4", "", "engine that preempted it"),
    "preempted_at_s": Column("f8", "s", "when it lost its blocks"),
    "num_lost_tokens": Column("i4", "tokens", "computed tokens thrown away"),
    "last_token_at_s": Column("f8", "s", "when it produced its last token before; NaN if it had none"),
    "next_token_at_s": Column("f8", "s", "when it produced the next token; NaN if it never did"),
}


KV_TRANSFERS: Mapping[str, Column] = {
    "request": Column("i8", "", "row of the request in the table requests"),
    "from_engine": Column("i4", "", "engine that computed its prompt"),
    "to_engine": Column("i4", "", "engine that decodes it"),
    "num_bytes": Column("f8", "B", "keys and values of its prompt, all copies that are kept"),
    "prefilled_at_s": Column("f8", "s", "end of the step that produced its first token"),
    "started_at_s": Column("f8", "s", "when the decoding replica had blocks and a place for it"),
    "ended_at_s": Column("f8", "s", "when its KV cache had arrived; NaN if the simulation ended before"),
    "decoding_at_s": Column("f8", "s", "start of the step in which it joined the batch; NaN if it did not"),
}


@dataclass(frozen=True, slots=True)
class ServingTables:
    """What one replication wrote about one serving workload."""

    requests: Table
    steps: Table
    preemptions: Table
    ended_at_s: float  # when the simulation of the workload stopped
    kv_transfers: Table = field(default_factory=lambda: empty_table(KV_TRANSFERS))
