"""A request that an engine holds: waiting, prefilling or decoding."""

from __future__ import annotations

import math
from dataclasses import dataclass


class ActiveRequest:
    """Mutable state of one request between its arrival at an engine and its end.

    Tokens are *known* (prompt and generated so far) or *computed* (keys and values cached). The target is
    how many must be computed before it can decode. While it decodes, its counts rest: they are brought up
    to date when it leaves the batch.
    """

    __slots__ = (
        "admission",
        "deadline_s",
        "entered_step",
        "handoff",
        "index",
        "is_decoding",
        "last_token_at_s",
        "num_computed_tokens",
        "num_generated_tokens",
        "num_held_blocks",
        "num_output_tokens",
        "num_prompt_tokens",
        "num_shared_blocks",
        "num_target_tokens",
        "preemption_row",
        "prefix",
    )

    def __init__(self, index: int, num_prompt_tokens: int, num_output_tokens: int, prefix: int) -> None:
        self.index = index
        self.num_prompt_tokens = self.num_target_tokens = num_prompt_tokens
        self.num_output_tokens = num_output_tokens
        self.prefix = prefix
        self.num_computed_tokens = self.num_generated_tokens = 0
        self.num_held_blocks = 0  # KV blocks that need not be taken: its own and referenced shared ones
        self.num_shared_blocks = 0  # leading blocks that it shares through the prefix cache
        self.is_decoding = False
        self.admission = -1  # serial number of its latest admission; -1 while it does not run
        self.entered_step = 0  # the batch's decode step when it began to decode
        self.deadline_s = math.inf
        self.last_token_at_s = math.nan  # of its latest token before it began to decode
        self.handoff: Handoff | None = None  # of a request whose prompt another replica has computed
        self.preemption_row: int | None = None  # row of the preemption that it has not recovered from


@dataclass(eq=False, slots=True)
class Handoff:
    """The way of a request from the engine that computed its prompt to the one that decodes."""

    source: int  # number of the engine that computed the prompt
    parked: ActiveRequest  # the request there, whose blocks are held until the KV cache has arrived
    prefilled_at_s: float
    is_here: bool = False  # whether the KV cache has arrived
    row: int = -1  # in the table kv_transfers, once it has begun
