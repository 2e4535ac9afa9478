"""Zero bubble (ZB-H1): gradients of weights fill the gaps."""

from __future__ import annotations

from dcsim.formulas.training.schedule import MicroBatchTime, PipelineSize
from dcsim.policies.pipeline_schedule import PipelineSchedule


class ZeroBubble(PipelineSchedule):
    """ZB-H1: weight gradients wait until a stage has nothing else to do, at the memory of 1F1B.

    Qi et al., "Zero Bubble Pipeline Parallelism", 2023, arXiv:2401.10241, section 2: with B for the
    activations' and W for the weights' gradients, (p - 1)(t_f + t_B - t_W).
    """

    def bubble_s(self, size: PipelineSize, time: MicroBatchTime) -> float:
        """(p - 1)(t_f + t_B - t_W), at least nothing."""
        idle_s = time.forward_s + time.input_backward_s - time.weight_backward_s
        return (size.num_stages - 1) * max(0.0, idle_s)

    def num_kept_micro_batches(self, size: PipelineSize) -> float:
        """min(m, p), as 1F1B."""
        return float(min(size.num_micro_batches, size.num_stages))
