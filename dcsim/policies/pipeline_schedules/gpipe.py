"""GPipe: all micro-batches forward, then all backward."""

from __future__ import annotations

from dcsim.formulas.training.schedule import MicroBatchTime, PipelineSize
from dcsim.policies.pipeline_schedule import PipelineSchedule


class Gpipe(PipelineSchedule):
    """All micro-batches forward, then all backward (Huang et al., "GPipe", 2019, arXiv:1811.06965)."""

    def bubble_s(self, size: PipelineSize, time: MicroBatchTime) -> float:
        """(p - 1)(t_f + t_b)."""
        return (size.num_stages - 1) * (time.forward_s + time.backward_s)

    def num_kept_micro_batches(self, size: PipelineSize) -> float:
        """All of them."""
        return float(size.num_micro_batches)
