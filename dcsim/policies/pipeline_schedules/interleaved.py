"""Interleaved 1F1B: each stage holds several chunks of layers."""

from __future__ import annotations

from collections.abc import Iterator

from dcsim.formulas.training.schedule import MicroBatchTime, PipelineSize
from dcsim.policies.pipeline_schedule import PipelineSchedule


class Interleaved(PipelineSchedule):
    """1F1B over v chunks per stage: the bubble shrinks by v, sends grow by it.

    Narayanan et al., 2021, arXiv:2104.04473, section 2.2.2; activations as in Korthikanti et al., 2022,
    arXiv:2205.05198, section 4.2.3.
    """

    def bubble_s(self, size: PipelineSize, time: MicroBatchTime) -> float:
        """(p - 1)(t_f + t_b) / v."""
        return (size.num_stages - 1) * (time.forward_s + time.backward_s) / size.num_chunks

    def num_kept_micro_batches(self, size: PipelineSize) -> float:
        """p (1 + (p - 1) / (p v)) micro-batches' worth on the first stage, never more than there are."""
        p, v = size.num_stages, size.num_chunks
        kept = p if v == 1 else p * (1.0 + (p - 1) / (p * v))
        return float(min(kept, size.num_micro_batches))

    def problems(self, size: PipelineSize) -> Iterator[tuple[str, str]]:
        """Micro-batches go through the chunks in rounds of one per stage."""
        if size.num_chunks > 1 and size.num_micro_batches % size.num_stages:
            yield (
                f"interleaving needs micro-batches in whole rounds of {size.num_stages}, one per stage; "
                f"there are {size.num_micro_batches}",
                "Change the batch or the micro-batch, or set virtual_stages: 1",
            )
