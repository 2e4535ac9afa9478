"""Prefill first: waiting prompts interrupt the decodes, and run whole (vLLM v0)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from dcsim.policies.scheduler import Budget, Chunk, Pending, Scheduler, StepPlan


class PrefillFirst(Scheduler):
    """A step is either whole prompts or decodes; prompts go first as long as any can be admitted.

    Follows vLLM v0 (``vllm/core/scheduler.py`` without chunked prefill): short time to first token, at
    the price of stalls between tokens.
    """

    reserves_whole_prompt: ClassVar[bool] = True
    interrupts_decodes: ClassVar[bool] = True

    def schedule(
        self, waiting: Iterable[Pending], prefilling: Sequence[Pending], num_decodes: int, budget: Budget
    ) -> StepPlan:
        """Whole prompts while tokens, slots and blocks last; a first prompt beyond the budget runs alone."""
        left, free, block_size = budget.num_tokens, budget.num_free_blocks, budget.block_size
        chunks: list[Chunk] = []
        for request in waiting:
            target = request.num_target_tokens
            count = target - request.num_computed_tokens
            needed = -(-target // block_size) - request.num_held_blocks
            if (
                (chunks and count > left)
                or len(chunks) >= budget.num_seqs
                or free - needed < budget.num_watermark_blocks
            ):
                break
            chunks.append((request, count))
            left -= count
            free -= needed
        return StepPlan(not chunks, chunks, len(chunks))
