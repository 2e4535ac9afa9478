"""A request that an engine holds: waiting, prefilling or decoding."""

from __future__ import annotations

import math


class ActiveRequest:
    """Mutable state of one request between its arrival at an engine and its end.

    Tokens are *known* (prompt and generated so far) or *computed* (keys and values cached). The target is
    how many must be computed before it can decode. While it decodes, its counts are not touched: they
    follow from the engine's decode counter and ``entered_step``.
    """

    __slots__ = (
        "admission",
        "deadline_s",
        "entered_step",
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
        self.num_prompt_tokens = num_prompt_tokens
        self.num_output_tokens = num_output_tokens
        self.prefix = prefix
        self.num_target_tokens = num_prompt_tokens
        self.num_computed_tokens = 0
        self.num_generated_tokens = 0
        self.num_held_blocks = 0  # KV blocks that need not be taken: its own and referenced shared ones
        self.num_shared_blocks = 0  # leading blocks that it shares through the prefix cache
        self.is_decoding = False
        self.admission = -1  # serial number of its latest admission
        self.entered_step = 0  # engine's decode counter when it began to decode
        self.last_token_at_s = math.nan  # of its latest token, up to when it began to decode
        self.deadline_s = 0.0
        self.preemption_row: int | None = None  # row of its latest preemption, until it yields a token
