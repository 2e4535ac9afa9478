"""Chunked prefill: decodes first, prompts fill the rest of the token budget (vLLM v1)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from dcsim.policies.scheduler import Budget, Chunk, Pending, Scheduler, StepPlan


class ChunkedPrefill(Scheduler):
    """Every step runs all decodes and as much prompt as the token budget leaves; blocks go chunk by chunk.

    Follows vLLM v1 (``vllm/v1/core/sched/scheduler.py``): running requests in order, then waiting ones
    while tokens, sequence slots and KV blocks last.
    """

    reserves_whole_prompt: ClassVar[bool] = False

    def schedule(
        self, waiting: Iterable[Pending], prefilling: Sequence[Pending], num_decodes: int, budget: Budget
    ) -> StepPlan:
        """Continue prompts that have begun, then begin waiting ones."""
        left, free, block_size = budget.num_tokens - num_decodes, budget.num_free_blocks, budget.block_size
        chunks: list[Chunk] = []
        for request in prefilling:
            count = min(request.num_target_tokens - request.num_computed_tokens, left)
            if count <= 0:
                break
            chunks.append((request, count))
            left -= count
            free -= -(-(request.num_computed_tokens + count) // block_size) - request.num_held_blocks
        num_admitted = 0
        for request in waiting:
            computed = request.num_computed_tokens
            count = min(request.num_target_tokens - computed, left)
            needed = -(-(computed + count) // block_size) - request.num_held_blocks
            if count <= 0 or num_admitted >= budget.num_seqs or free - needed < budget.num_watermark_blocks:
                break
            chunks.append((request, count))
            left -= count
            free -= needed
            num_admitted += 1
        return StepPlan(True, chunks, num_admitted)
