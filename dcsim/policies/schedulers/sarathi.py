"""Sarathi: decodes and prompt chunks in a fixed token budget, whole prompts reserved (Sarathi-Serve)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from dcsim.policies.scheduler import Budget, Chunk, Pending, Scheduler, StepPlan


class Sarathi(Scheduler):
    """As chunked prefill, but a request is admitted only if the KV blocks of its whole prompt are free.

    Agrawal et al., "Taming Throughput-Latency Tradeoff in LLM Inference with Sarathi-Serve", OSDI 2024
    (arXiv:2403.02310), as Vidur implements it; ``max_num_batched_tokens`` is its chunk size.
    """

    reserves_whole_prompt: ClassVar[bool] = True

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
        num_admitted = 0
        for request in waiting:
            target = request.num_target_tokens
            needed = -(-target // block_size) - request.num_held_blocks
            if left <= 0 or num_admitted >= budget.num_seqs or free - needed < budget.num_watermark_blocks:
                break
            count = min(target - request.num_computed_tokens, left)
            chunks.append((request, count))
            left -= count
            free -= needed
            num_admitted += 1
        return StepPlan(True, chunks, num_admitted)
