"""1F1B: a stage turns to backward passes as soon as there are any."""

from __future__ import annotations

from dcsim.formulas.training.schedule import MicroBatchTime, PipelineSize
from dcsim.policies.pipeline_schedule import PipelineSchedule


class OneForwardOneBackward(PipelineSchedule):
    """One forward, one backward (Narayanan et al., "PipeDream", 2019; arXiv:2104.04473, section 2.2.1).

    The bubble of GPipe, with the activations of p micro-batches at most.
    """

    def bubble_s(self, size: PipelineSize, time: MicroBatchTime) -> float:
        """(p - 1)(t_f + t_b)."""
        return (size.num_stages - 1) * (time.forward_s + time.backward_s)

    def num_kept_micro_batches(self, size: PipelineSize) -> float:
        """min(m, p) on the first stage."""
        return float(min(size.num_micro_batches, size.num_stages))
